//! The OpenAPI document, made of the table of routes.

use serde_json::{Map, Value, json};

use super::routes::{self, Endpoint, Route};
use crate::dialect::MAX_NAME_BYTES;

/// OpenAPI 3.1 of everything that is served.
pub fn document() -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    schemas.insert("Error".into(), error_schema());
    for route in routes::all() {
        if let Some(body) = route.body {
            schemas.insert(body.name.into(), (body.make)());
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Lanecast", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "api_key_in_query": { "type": "apiKey", "in": "query", "name": "api_key" },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let answers: Map<String, Value> = route
        .answers
        .iter()
        .map(|(status, meaning)| (status.to_string(), answer(route, *status, meaning)))
        .collect();
    let mut operation = json!({ "summary": route.summary, "responses": answers });
    let of_path = route.vars().map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": parameter(route, name) }),
    );
    let of_query = route.query.iter().map(|p| {
        let (name, what, needed) = (p.name, p.what, p.needed);
        json!({ "name": name, "in": "query", "description": what, "required": needed, "schema": (p.make)() })
    });
    let parameters: Vec<_> = of_path.chain(of_query).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "required": true, "content": content(body.name) });
    }
    operation
}

fn parameter(route: &Route, name: &str) -> Value {
    if matches!(route.action, Endpoint::Aegisx(_)) && name == "channel" {
        // The limit on names is for what stands behind the prefix.
        let pattern = "^(public:[\\s\\S]{1,256}|(tenant|notifications):[^:][\\s\\S]{0,255})$";
        return json!({ "type": "string", "pattern": pattern });
    }
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES })
}

fn answer(route: &Route, status: u16, meaning: &str) -> Value {
    let mut answer = json!({ "description": meaning });
    // What is no dialect's answers as text.
    if status >= 400 && route.action != Endpoint::Readyz {
        answer["content"] = content("Error");
    }
    answer
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "code"],
        "properties": {
            "error": { "type": "string", "description": "For people" },
            "code": { "type": "string", "description": "For programs" },
            "field": { "type": "string", "description": "What the error is about" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_with_its_variables_and_its_body() {
        let document = document();
        for route in routes::all() {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{route:?}");
            let empty = Vec::new();
            let named = operation["parameters"].as_array().unwrap_or(&empty).iter().map(|p| &p["name"]);
            assert!(named.eq(route.vars().chain(route.query.iter().map(|p| p.name))), "{route:?}");
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            match route.body {
                None => assert!(body.is_null()),
                Some(schema) => {
                    assert_eq!(body, &format!("#/components/schemas/{}", schema.name));
                    assert_eq!(document["components"]["schemas"][schema.name], (schema.make)());
                }
            }
        }
    }

    /// Two schemas of one name would hide each other.
    #[test]
    fn names_of_schemas_mean_one_thing() {
        for (n, route) in routes::all().enumerate() {
            for other in routes::all().skip(n) {
                if let (Some(a), Some(b)) = (route.body, other.body)
                    && a.name == b.name
                {
                    assert_eq!((a.make)(), (b.make)(), "{}", a.name);
                }
            }
        }
    }
}
