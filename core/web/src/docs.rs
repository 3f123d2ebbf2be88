//! The OpenAPI 3.1 document, built from the same types that the handlers use, and a page to read it.

use axum::{Json, Router, response::Html, routing::get};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, Content, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Paths,
        RefOr, Required, ResponseBuilder, Schema,
        path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};

/// One method of one path, with the schemas it mentions.
pub struct Operation {
    path: String,
    method: HttpMethod,
    operation: OperationBuilder,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    /// A described operation; `id` is unique in the document and a good method name.
    pub fn new(method: HttpMethod, path: &str, id: &str, tag: &str, summary: &str) -> Self {
        let mut operation = OperationBuilder::new()
            .operation_id(Some(id.replace('-', "_")))
            .tag(tag)
            .summary(Some(summary))
            .security(SecurityRequirement::new("token", Vec::<String>::new()));
        for name in path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            operation = operation.parameter(text(name, ParameterIn::Path, "name or id", Required::True));
        }
        let problem = ResponseBuilder::new()
            .description("what went wrong, as RFC 9457 problem+json")
            .build();
        let operation = operation.response("default", problem);
        Self {
            path: path.to_owned(),
            method,
            operation,
            schemas: Vec::new(),
        }
    }

    pub fn takes<T: ToSchema>(mut self) -> Self {
        let content = Content::new(Some(self.refer::<T>()));
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(Required::True))
            .build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    pub fn answers<T: ToSchema>(mut self, status: &str, what: &str) -> Self {
        let content = Content::new(Some(self.refer::<T>()));
        let response = ResponseBuilder::new()
            .description(what)
            .content("application/json", content)
            .build();
        self.operation = self.operation.response(status, response);
        self
    }

    /// A page of `T`.
    pub fn lists<T: ToSchema>(mut self) -> Self {
        let items = self.refer::<T>();
        let page = ObjectBuilder::new()
            .property("items", utoipa::openapi::ArrayBuilder::new().items(items))
            .property("next", ObjectBuilder::new().schema_type(Type::String))
            .required("items");
        let response = ResponseBuilder::new()
            .description("one page")
            .content("application/json", Content::new(Some(RefOr::T(Schema::from(page)))))
            .build();
        self.operation = self.operation.response("200", response);
        self
    }

    /// 202 with the item and the task that goes on with it.
    pub fn accepts<T: ToSchema>(mut self, what: &str) -> Self {
        let item = self.refer::<T>();
        let accepted = ObjectBuilder::new()
            .property("item", item)
            .property("task", ObjectBuilder::new().schema_type(Type::String))
            .required("item");
        let response = ResponseBuilder::new()
            .description(what)
            .content("application/json", Content::new(Some(RefOr::T(Schema::from(accepted)))))
            .build();
        self.operation = self.operation.response("202", response);
        self
    }

    pub fn empty(mut self, status: &str, what: &str) -> Self {
        self.operation = self
            .operation
            .response(status, ResponseBuilder::new().description(what).build());
        self
    }

    pub fn query(mut self, name: &str, what: &str) -> Self {
        self.operation = self
            .operation
            .parameter(text(name, ParameterIn::Query, what, Required::False));
        self
    }

    pub fn header(mut self, name: &str, what: &str) -> Self {
        self.operation = self
            .operation
            .parameter(text(name, ParameterIn::Header, what, Required::False));
        self
    }

    /// No token is needed.
    pub fn open(mut self) -> Self {
        self.operation = self.operation.securities(None::<Vec<SecurityRequirement>>);
        self
    }

    fn refer<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = name_of::<T>();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        utoipa::openapi::Ref::from_schema_name(name).into()
    }
}

/// utoipa names a type by its own name; ours are called `View` or `Create` in modules, so the module is added: `CreateDisk`.
fn name_of<T: ToSchema>() -> String {
    let plain = T::name().into_owned();
    if !matches!(
        plain.as_str(),
        "Create" | "Update" | "Resize" | "Attach" | "Stop" | "Rebuild"
    ) {
        return plain;
    }
    let path = std::any::type_name::<T>();
    let module = path.rsplit("::").nth(1).unwrap_or_default();
    let mut letters = module.chars();
    let capital: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    format!("{plain}{capital}")
}

fn text(name: &str, place: ParameterIn, what: &str, required: Required) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(what))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

pub fn list<V: ToSchema>(noun: &str, path: &str, about: &str) -> Operation {
    Operation::new(
        HttpMethod::Get,
        &format!("/{path}"),
        &format!("{noun}_list"),
        noun,
        about,
    )
    .query("limit", "items per page, 1 to 1000; 100 when absent")
    .query("after", "`next` of the page before")
    .query("sort", "a field, with `-` in front for descending")
    .query("fields", "only these fields of each item, separated by commas")
    .query("everywhere", "true: all projects within reach, not only the token's")
    .lists::<V>()
}

pub fn show<V: ToSchema>(noun: &str, path: &str) -> Operation {
    Operation::new(
        HttpMethod::Get,
        &format!("/{path}/{{key}}"),
        &format!("{noun}_get"),
        noun,
        &format!("Shows one {noun}."),
    )
    .answers::<V>("200", "the object")
}

pub fn create<I: ToSchema, V: ToSchema>(noun: &str, path: &str) -> Operation {
    Operation::new(
        HttpMethod::Post,
        &format!("/{path}"),
        &format!("{noun}_create"),
        noun,
        &format!("Creates a {noun}."),
    )
    .header(
        "Idempotency-Key",
        "sending the same key again gives the same answer and makes nothing new",
    )
    .query("wait", "answer when the task is over, or after this long: `30s`")
    .takes::<I>()
    .answers::<V>("201", "made")
    .accepts::<V>("being made by the task")
}

pub fn update<I: ToSchema, V: ToSchema>(noun: &str, path: &str) -> Operation {
    Operation::new(
        HttpMethod::Patch,
        &format!("/{path}/{{key}}"),
        &format!("{noun}_update"),
        noun,
        &format!("Changes a {noun}."),
    )
    .header("If-Match", "the version you have seen; 409 when it has changed since")
    .takes::<I>()
    .answers::<V>("200", "as it is now")
}

pub fn delete<V: ToSchema>(noun: &str, path: &str) -> Operation {
    Operation::new(
        HttpMethod::Delete,
        &format!("/{path}/{{key}}"),
        &format!("{noun}_delete"),
        noun,
        &format!("Deletes a {noun}."),
    )
    .query("wait", "answer when the task is over, or after this long: `30s`")
    .accepts::<V>("being deleted by the task")
    .empty("204", "deleted")
}

pub fn act<I: ToSchema, V: ToSchema>(noun: &str, path: &str, verb: &str) -> Operation {
    let summary = format!("Does `{verb}` to a {noun}.");
    Operation::new(
        HttpMethod::Post,
        &format!("/{path}/{{key}}/{verb}"),
        &format!("{noun}_{verb}"),
        noun,
        &summary,
    )
    .query("wait", "answer when the task is over, or after this long: `30s`")
    .takes::<I>()
    .answers::<V>("200", "done")
    .accepts::<V>("being done by the task")
}

/// The whole document.
pub fn document(title: &str, about: &str, operations: Vec<Operation>) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new().security_scheme(
        "token",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Token"))),
    );
    for operation in operations {
        for (name, schema) in operation.schemas {
            components = components.schema(name, schema);
        }
        let built = operation.operation.build();
        match paths.paths.get_mut(&operation.path) {
            Some(item) => item.merge_operations(PathItem::new(operation.method, built)),
            None => {
                paths
                    .paths
                    .insert(operation.path, PathItem::new(operation.method, built));
            }
        }
    }
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .license(Some(license))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// Nothing to send.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Serves documents at `/openapi/<name>.json`, the first also at `/openapi.json`, and `/docs` to read them.
pub fn routes(documents: Vec<(&'static str, OpenApi)>) -> Router {
    let mut router = Router::new();
    let mut page = String::new();
    for (position, (name, document)) in documents.into_iter().enumerate() {
        page.push_str(&render(&document));
        let answer = Json(document);
        if position == 0 {
            let first = answer.clone();
            router = router.route("/openapi.json", get(|| async { first }));
        }
        router = router.route(&format!("/openapi/{name}.json"), get(|| async { answer }));
    }
    let page = include_str!("docs.html").replace("{{operations}}", &page);
    router.route("/docs", get(|| async { Html(page) }))
}

fn render(document: &OpenApi) -> String {
    let mut html = format!("<h2>{}</h2>\n", document.info.title);
    let value = serde_json::to_value(document).unwrap_or_default();
    for (path, methods) in value["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            html.push_str(&format!(
                "<tr><td><b>{}</b></td><td><code>{path}</code></td><td>{summary}</td></tr>\n",
                method.to_uppercase()
            ));
        }
    }
    html.replacen("</h2>\n", "</h2>\n<table>\n", 1) + "</table>\n"
}

/// A schema for values whose shape is not ours.
pub fn any() -> RefOr<Schema> {
    serde_json::Value::schema()
}
