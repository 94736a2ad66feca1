//! The OpenAPI document, made of the table of routes.

use serde_json::{Map, Value, json};

use super::routes::ROUTES;

/// OpenAPI 3.1 of everything that is served.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let answers: Map<String, Value> = route
            .answers
            .iter()
            .map(|(status, meaning)| (status.to_string(), json!({ "description": meaning })))
            .collect();
        let mut operation = json!({ "summary": route.summary, "responses": answers });
        if route.path.contains("{name}") {
            operation["parameters"] =
                json!([{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }]);
        }
        if route.method == "POST" {
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/NewRoom" } } } });
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Lanecast", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": { "NewRoom": super::tusk::new_room_schema() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "api_key_in_query": { "type": "apiKey", "in": "query", "name": "api_key" },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document() {
        let document = document();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{route:?}");
        }
    }
}
