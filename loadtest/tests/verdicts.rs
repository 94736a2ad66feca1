//! The tool as a user runs it, against a room server that is good or has one fault.

mod room_server;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use room_server::{Fault, RoomServer, VICTIM};
use serde_json::Value;

/// Its exit code, its JSON report (null if it printed none) and what it wrote to stderr.
struct Verdict {
    code: i32,
    report: Value,
    stderr: String,
}

fn command(server: &RoomServer, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lanecast-loadtest"));
    command.args(line.split_whitespace()).args(["--json", "--target", &server.address.to_string()]);
    command
}

fn verdict(output: Output) -> Verdict {
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let report =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("one JSON object") };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Verdict { code: output.status.code().expect("not killed"), report, stderr }
}

fn run(server: &RoomServer, line: &str) -> Verdict {
    verdict(command(server, line).output().expect("runs"))
}

/// Three members, four messages in flight, so that a later message shows what became of an earlier one.
const FANOUT: &str = "fanout --subscribers 2 --window 4 --secs 0.3 --warmup 0.1 --timeout 2";

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"))
}

const FAULTS: [&str; 6] = ["lost", "doubled", "disordered", "misrouted", "unsent", "errors"];

/// The run failed, and for these reasons alone.
fn assert_faults(verdict: &Verdict, expected: &[(&str, u64)]) {
    for name in FAULTS {
        let wanted = expected.iter().find(|(known, _)| *known == name).map_or(0, |(_, times)| *times);
        assert_eq!(count(&verdict.report, name), wanted, "{name} in {}", verdict.report);
    }
    let code = i32::from(!expected.is_empty());
    assert_eq!(verdict.code, code, "{}", verdict.report);
    assert_eq!(verdict.report["exit_code"], code);
}

#[test]
fn a_good_server_passes_every_scenario() {
    let server = RoomServer::start(Fault::None);
    for (line, connections) in [
        ("fanout --publishers 2 --subscribers 5 --window 3", 7),
        ("fanout --subscribers 5 --rate 300", 6),
        ("echo --connections 6 --window 2", 6),
        ("echo --connections 6 --rate 500 --threads 2 --sources 3", 6),
        ("rooms --rooms 3 --members 4 --publishers 7 --threads 3", 12),
        ("idle --connections 12 --rooms 4", 12),
        ("storm --connections 40 --parallel 8 --sources 2", 40),
    ] {
        let verdict = run(&server, &format!("{line} --secs 0.3 --warmup 0.1"));
        assert_faults(&verdict, &[]);
        let report = &verdict.report;
        assert_eq!(count(report, "connected"), connections, "{line}");
        assert_eq!(count(&report["setup_ns"], "count"), connections, "{line}");
        assert!(report["accepts_per_s"].as_f64().expect("a rate") > 0.0, "{line}");
        let (sent, publishers) = (count(report, "sent"), count(report, "publishers"));
        assert_eq!(sent > 0, publishers > 0, "{line}");
        if !line.starts_with("rooms") {
            let members = connections / count(report, "rooms").max(1);
            assert_eq!(count(report, "deliveries"), sent * members, "{line}");
        }
        assert_eq!(report["latency_ns"].is_null(), publishers == 0, "{line}");
    }
}

#[test]
fn a_dropped_message_is_lost() {
    assert_faults(&run(&RoomServer::start(Fault::DropOne), FANOUT), &[("lost", 1)]);
}

#[test]
fn a_doubled_message_is_doubled() {
    assert_faults(&run(&RoomServer::start(Fault::DoubleOne), FANOUT), &[("doubled", 1)]);
}

#[test]
fn two_swapped_messages_are_disordered_and_not_lost() {
    assert_faults(&run(&RoomServer::start(Fault::SwapTwo), FANOUT), &[("disordered", 1)]);
}

#[test]
fn a_damaged_message_is_an_error_and_its_original_is_lost() {
    assert_faults(&run(&RoomServer::start(Fault::DamageOne), FANOUT), &[("errors", 1), ("lost", 1)]);
}

#[test]
fn a_message_in_the_wrong_room_is_misrouted() {
    let server = RoomServer::start(Fault::Misroute);
    assert_faults(&run(&server, "echo --connections 2 --secs 0.3 --warmup 0"), &[("misrouted", 1)]);
}

#[test]
fn an_error_frame_is_an_error() {
    let verdict = run(&RoomServer::start(Fault::RefuseOne), FANOUT);
    assert_faults(&verdict, &[("errors", 1)]);
    assert_eq!(verdict.report["reasons"]["refused: too fast"], 1);
}

#[test]
fn messages_of_other_clients_are_no_fault() {
    let verdict = run(&RoomServer::start(Fault::Foreign), FANOUT);
    assert_faults(&verdict, &[]);
    assert_eq!(count(&verdict.report, "foreign"), 1);
}

#[test]
fn a_server_that_falls_silent_ends_the_run_in_time() {
    let verdict = run(&RoomServer::start(Fault::Mute), FANOUT);
    // The victim and the whole window that went after it, at one of the three members.
    assert_faults(&verdict, &[("lost", 4), ("errors", 1)]);
    assert_eq!(verdict.report["reasons"]["publish: the window did not come back in time"], 1);
    assert_eq!(count(&verdict.report, "sent"), VICTIM + 4);
}

#[test]
fn a_connection_closed_by_the_server_is_an_error() {
    let verdict = run(&RoomServer::start(Fault::CloseOne), FANOUT);
    assert_eq!(verdict.code, 1);
    assert_eq!(verdict.report["reasons"]["closed by the server without a code"], 1, "{}", verdict.report);
    assert!(count(&verdict.report, "lost") > 0);
}

#[test]
fn a_refused_join_is_exit_code_3_with_the_servers_words() {
    let verdict = run(&RoomServer::start(Fault::RefuseJoin), FANOUT);
    assert_eq!(verdict.code, 3);
    assert!(count(&verdict.report["reasons"], "join refused: not allowed") > 0);
}

#[test]
fn a_token_is_sent_before_the_join() {
    let server = RoomServer::start_with(Fault::None, Some("secret"));
    assert_eq!(run(&server, FANOUT).code, 3);
    assert_eq!(run(&server, &format!("{FANOUT} --token wrong")).code, 3);
    assert_faults(&run(&server, &format!("{FANOUT} --token secret")), &[]);
}

#[test]
fn nobody_there_is_exit_code_3() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let target = listener.local_addr().expect("bound").to_string();
    drop(listener);
    for scenario in ["fanout", "storm"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lanecast-loadtest"));
        let output = command.args([scenario, "--json", "--timeout", "1", "--target", &target]).output();
        assert_eq!(verdict(output.expect("runs")).code, 3, "{scenario}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_allowed() {
    let server = RoomServer::start(Fault::None);
    for (line, words) in [
        ("fanout --assert p98<5ms", "allowed: p50 p90"),
        ("fanout --assert p99<5", "ns us ms s"),
        ("fanout --secs 3601", "allowed: 0.1 to 3600 seconds"),
        ("fanout --path nowhere", "a path starts with"),
        ("idle --assert p99<5ms", "needs a scenario that publishes"),
        ("idle --assert bytes_per_conn<1KiB", "needs --server-pid"),
        ("idle --server-pid 4294967295", "/proc/4294967295"),
        ("rooms --rooms 2 --members 2 --publishers 5", "5 publishers among 4"),
        ("nothing", "unrecognized subcommand"),
    ] {
        let verdict = run(&server, line);
        assert_eq!(verdict.code, 2, "{line}");
        assert!(verdict.stderr.contains(words), "{line}: {}", verdict.stderr);
    }
}

#[test]
fn asserts_decide_the_exit_code_and_show_the_figure() {
    let server = RoomServer::start(Fault::None);
    let held =
        run(&server, &format!("{FANOUT} --assert lost==0 --assert p50>0ns --assert deliveries_per_s>=1"));
    assert_faults(&held, &[]);
    let failed = run(&server, &format!("{FANOUT} --assert lost==0 --assert max<1ns"));
    assert_eq!(failed.code, 1);
    assert_eq!(failed.report["asserts"][0]["met"], true);
    assert_eq!(failed.report["asserts"][1]["met"], false);
    assert_eq!(failed.report["asserts"][1]["actual"].as_f64(), failed.report["latency_ns"]["max"].as_f64());
}

#[test]
fn the_table_shows_what_failed() {
    let server = RoomServer::start(Fault::DropOne);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lanecast-loadtest"));
    command.args(FANOUT.split_whitespace()).args([
        "--assert",
        "max<1ns",
        "--target",
        &server.address.to_string(),
    ]);
    let output = command.output().expect("runs");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    for words in ["1 lost, 0 doubled", "ASSERT FAILED  max<1ns: ", "exit code 1"] {
        assert!(table.contains(words), "{words} in {table}");
    }
    assert!(output.stderr.is_empty(), "no progress bar where stderr is no terminal");
}

#[test]
fn memory_and_cpu_come_from_the_servers_process() {
    let server = RoomServer::start(Fault::None);
    // The server runs in the test's own process.
    let pid = std::process::id();
    let verdict = run(&server, &format!("{FANOUT} --server-pid {pid} --assert bytes_per_conn<100MiB"));
    assert_faults(&verdict, &[]);
    let server = &verdict.report["server"];
    assert!(server["pss_after_bytes"].as_u64() > Some(0), "{server}");
    assert!(server["cpu_ns_per_delivery"].as_f64() > Some(0.0), "{server}");
}

#[test]
fn a_server_process_that_ends_is_an_error_and_the_figures_stay() {
    let server = RoomServer::start(Fault::None);
    // Stands for the server's process, since the real one is the test's own.
    let mut process = Command::new("sleep").arg("600").spawn().expect("sleep");
    let line = format!("fanout --subscribers 2 --secs 0.5 --warmup 0 --server-pid {}", process.id());
    let child = command(&server, &line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    server.published.recv().expect("the run goes on");
    process.kill().expect("ours");
    process.wait().expect("reaped");
    let verdict = verdict(child.wait_with_output().expect("ends"));
    assert_eq!(verdict.code, 1, "{}", verdict.report);
    assert!(count(&verdict.report, "deliveries") > 0);
    assert!(verdict.report["reasons"].to_string().contains("/proc/"), "{}", verdict.report);
    assert!(verdict.report["server"]["pss_after_bytes"].is_null());
}

#[test]
fn sigint_ends_the_run_with_the_results_so_far() {
    let server = RoomServer::start(Fault::None);
    let mut command = command(&server, "fanout --subscribers 2 --secs 600 --warmup 0");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    for _ in 0..50 {
        server.published.recv().expect("the run goes on");
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let verdict = verdict(child.wait_with_output().expect("ends"));
    assert_faults(&verdict, &[]);
    assert_eq!(verdict.report["interrupted"], true);
    assert!(count(&verdict.report, "sent") >= 50);
    assert!(verdict.report["measured_s"].as_f64().expect("seconds") < 600.0);
}

const STALL: Duration = Duration::from_millis(800);

/// Sends 12.8 MB/s, more in the stall than the sockets hold, so the client itself cannot send for a while.
#[test]
fn open_loop_counts_a_stall_from_when_messages_were_due() {
    let server = RoomServer::start(Fault::Stall(STALL));
    let line = "echo --connections 1 --rate 50 --size 262144 --secs 2 --warmup 0";
    let verdict = run(&server, line);
    assert_faults(&verdict, &[]);
    let report = &verdict.report;
    let stall_ns = STALL.as_nanos() as u64;
    assert!(count(&report["send_lag_ns"], "max") > stall_ns / 4, "the stall held up the client: {report}");
    // 40 of the 100 messages were due in the stall and waited for its end: half of them 400 ms and more.
    assert_eq!(count(&report["latency_ns"], "count"), 100);
    assert!(count(&report["latency_ns"], "max") > stall_ns * 9 / 10, "{report}");
    assert!(count(&report["latency_ns"], "p90") > stall_ns / 2, "{report}");

    let due_ns: Vec<u64> = server.published.try_iter().map(|text| due(&text)).collect();
    assert!(
        due_ns.windows(2).all(|pair| pair[1] - pair[0] == 20_000_000),
        "the schedule went on: {due_ns:?}"
    );
}

/// The same stall hides from the median and even the p90 of a closed loop: that is why the open one exists.
#[test]
fn closed_loop_waits_for_a_stalled_server() {
    let server = RoomServer::start(Fault::Stall(STALL));
    let verdict = run(&server, "echo --connections 1 --secs 2 --warmup 0");
    assert_faults(&verdict, &[]);
    let latency = &verdict.report["latency_ns"];
    assert!(count(latency, "max") > STALL.as_nanos() as u64 * 9 / 10, "{latency}");
    assert!(count(latency, "p90") < STALL.as_nanos() as u64 / 4, "{latency}");
}

/// The due time in a payload `RUN.PUBLISHER.SEQ.DUE.xxx`.
fn due(text: &str) -> u64 {
    text.split('.').nth(3).and_then(|digits| digits.parse().ok()).expect("a stamp")
}
