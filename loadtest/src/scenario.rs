//! The five scenarios are five shapes of one engine: so many connections, dealt out over so many rooms,
//! the first so many of them publishing.
//!
//! Connection i is in room `i % rooms`; connections `0..publishers` publish, each in its own room. So the
//! number of a publisher is the number of its connection, and room r's publishers are r, r + rooms, ….

use clap::Subcommand;

/// What is put under load.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Scenario {
    /// Connections that join rooms and say nothing: connect rate, memory per connection
    Idle {
        /// Connections held open [1 to 1000000]
        #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        connections: u32,
        /// Rooms they are dealt out to [1 to N; default: one for every 10 connections]
        #[arg(short, long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rooms: Option<u32>,
    },
    /// Publishers and subscribers in one room: every message goes to all of them
    Fanout {
        /// Publishers, members of the room like everybody [1 to 100000]
        #[arg(short, long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        publishers: u32,
        /// Members that only receive [0 to 1000000]
        #[arg(short, long, value_name = "S", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        subscribers: u32,
    },
    /// Connections each alone in a room, receiving their own messages
    Echo {
        /// Connections, all publishing [1 to 100000]
        #[arg(short, long, value_name = "C", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        connections: u32,
    },
    /// Many rooms of a few members
    Rooms {
        /// Rooms [1 to 1000000]
        #[arg(short, long, value_name = "R", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rooms: u32,
        /// Members of each room, its publishers among them [1 to 1000000]
        #[arg(short, long, value_name = "M", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        members: u32,
        /// Members of all rooms that publish, dealt out evenly [1 to R x M; default: R, one in each room]
        #[arg(short, long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        publishers: Option<u32>,
    },
    /// Connects as fast as possible, joins nothing, closes: accepts per second, setup time
    Storm {
        /// Connections, all open before the first closes [1 to 1000000]
        #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        connections: u32,
    },
}

/// Most connections of one run.
const MAX_CONNECTIONS: u64 = 1_000_000;
/// Most pairs of a receiver and a publisher that it checks: 24 bytes each, 240 MB.
const MAX_PAIRS: u64 = 10_000_000;

/// A scenario in the engine's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub connections: u32,
    /// 0: connections join no room.
    pub rooms: u32,
    /// The first so many connections publish; at most `connections`.
    pub publishers: u32,
}

impl Scenario {
    pub fn name(&self) -> &'static str {
        match self {
            Scenario::Idle { .. } => "idle",
            Scenario::Fanout { .. } => "fanout",
            Scenario::Echo { .. } => "echo",
            Scenario::Rooms { .. } => "rooms",
            Scenario::Storm { .. } => "storm",
        }
    }

    /// The shape of the scenario. Errors: counts that contradict each other or are too large together.
    pub fn shape(&self) -> Result<Shape, String> {
        let (connections, rooms, publishers) = match *self {
            Scenario::Idle { connections, rooms } => {
                (u64::from(connections), rooms.unwrap_or(connections.div_ceil(10)), 0)
            }
            Scenario::Fanout { publishers, subscribers } => {
                (u64::from(publishers) + u64::from(subscribers), 1, publishers)
            }
            Scenario::Echo { connections } => (u64::from(connections), connections, connections),
            Scenario::Rooms { rooms, members, publishers } => {
                (u64::from(rooms) * u64::from(members), rooms, publishers.unwrap_or(rooms))
            }
            Scenario::Storm { connections } => (u64::from(connections), 0, 0),
        };
        if connections > MAX_CONNECTIONS {
            return Err(format!("{connections} connections; one run makes at most {MAX_CONNECTIONS}"));
        }
        let connections = connections as u32;
        if rooms > connections {
            return Err(format!("{rooms} rooms for {connections} connections: some rooms would be empty"));
        }
        if publishers > connections {
            return Err(format!("{publishers} publishers among {connections} members"));
        }
        Shape { connections, rooms, publishers }.within_memory()
    }
}

impl Shape {
    fn within_memory(self) -> Result<Shape, String> {
        let per_room = u64::from(self.publishers).div_ceil(u64::from(self.rooms.max(1)));
        let pairs = u64::from(self.connections) * per_room;
        if pairs > MAX_PAIRS {
            return Err(format!("{pairs} pairs of receiver and publisher to check; at most {MAX_PAIRS}"));
        }
        Ok(self)
    }

    /// The room of a connection; `None` if connections join none.
    pub fn room(&self, connection: u32) -> Option<u32> {
        connection.checked_rem(self.rooms)
    }

    /// How many connections are in a room.
    pub fn members(&self, room: u32) -> u32 {
        dealt(self.connections, self.rooms, room)
    }

    /// How many connections publish in a room.
    pub fn publishers_in(&self, room: u32) -> u32 {
        dealt(self.publishers, self.rooms, room)
    }

    /// The run's number of the publisher that is number `index` in `room`.
    pub fn publisher(&self, room: u32, index: u32) -> u32 {
        room + index * self.rooms
    }

    /// A publisher's number in `room`; `None` if it does not publish there.
    pub fn index_in(&self, room: u32, publisher: u32) -> Option<u32> {
        (publisher < self.publishers && self.room(publisher) == Some(room)).then(|| publisher / self.rooms)
    }
}

/// How many of `things`, dealt out to `places` in turn, are at `place`.
fn dealt(things: u32, places: u32, place: u32) -> u32 {
    things / places + u32::from(place < things % places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_the_shapes_they_promise() {
        let shape = |scenario: Scenario| {
            let shape = scenario.shape().expect("valid");
            (shape.connections, shape.rooms, shape.publishers)
        };
        assert_eq!(shape(Scenario::Idle { connections: 11, rooms: None }), (11, 2, 0));
        assert_eq!(shape(Scenario::Idle { connections: 11, rooms: Some(11) }), (11, 11, 0));
        assert_eq!(shape(Scenario::Fanout { publishers: 2, subscribers: 5 }), (7, 1, 2));
        assert_eq!(shape(Scenario::Echo { connections: 4 }), (4, 4, 4));
        assert_eq!(shape(Scenario::Rooms { rooms: 3, members: 4, publishers: None }), (12, 3, 3));
        assert_eq!(shape(Scenario::Rooms { rooms: 3, members: 4, publishers: Some(12) }), (12, 3, 12));
        assert_eq!(shape(Scenario::Storm { connections: 9 }), (9, 0, 0));
    }

    #[test]
    fn refuses_counts_that_contradict_each_other() {
        for (scenario, words) in [
            (Scenario::Idle { connections: 3, rooms: Some(4) }, "4 rooms for 3 connections"),
            (Scenario::Rooms { rooms: 3, members: 4, publishers: Some(13) }, "13 publishers among 12"),
            (Scenario::Rooms { rooms: 1001, members: 1000, publishers: None }, "at most 1000000"),
            (Scenario::Fanout { publishers: 10_000, subscribers: 0 }, "at most 10000000"),
        ] {
            let error = scenario.shape().expect_err("contradiction");
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn everybody_is_in_one_room_and_known_there() {
        for (connections, rooms, publishers) in [(7, 1, 2), (4, 4, 4), (12, 3, 5), (11, 2, 0)] {
            let shape = Shape { connections, rooms, publishers };
            for room in 0..rooms {
                let members = (0..connections).filter(|&c| shape.room(c) == Some(room)).count();
                assert_eq!(shape.members(room), members as u32);
                let here: Vec<u32> = (0..publishers).filter(|&p| shape.room(p) == Some(room)).collect();
                assert_eq!(shape.publishers_in(room), here.len() as u32);
                for (index, &publisher) in here.iter().enumerate() {
                    assert_eq!(shape.publisher(room, index as u32), publisher);
                    assert_eq!(shape.index_in(room, publisher), Some(index as u32));
                }
            }
            assert_eq!(shape.index_in(0, publishers), None, "no publisher of that number");
        }
        let two_rooms = Shape { connections: 4, rooms: 2, publishers: 4 };
        assert_eq!(two_rooms.index_in(0, 1), None, "publishes in the other room");
    }
}
