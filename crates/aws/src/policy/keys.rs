//! The condition keys that a policy asks for, in conditions and as variables.

use std::collections::BTreeSet;

use serde_json::Value;

/// The keys, as the policy writes them.
pub(super) fn of(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let tree: Value = serde_json::from_str(text).unwrap_or_default();
    let statements = tree.get("Statement").map_or(&[][..], |statements| match statements {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    });
    let conditions = statements.iter().filter_map(|statement| statement.get("Condition")?.as_object());
    for operator in conditions.flat_map(|operators| operators.values().filter_map(Value::as_object)) {
        keys.extend(operator.keys().cloned());
    }
    keys.extend(variables(text));
    keys
}

/// Names between `${` and `}` or a comma; `${*}`, `${?}` and `${$}` stand for themselves.
fn variables(text: &str) -> impl Iterator<Item = String> {
    let inner = text.split("${").skip(1).filter_map(|rest| rest.split(['}', ',']).next());
    inner.map(str::trim).filter(|name| !matches!(*name, "*" | "?" | "$" | "")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn conditions_and_variables_are_found() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:ecr:*:*:repository/${aws:username, 'x'}/${*}",
            "Condition":{"StringEquals":{"aws:RequestTag/team":"a"},"Bool":{"aws:SecureTransport":"true"}}}]}"#;
        let keys: Vec<String> = of(text).into_iter().collect();
        assert_eq!(keys, ["aws:RequestTag/team", "aws:SecureTransport", "aws:username"]);
        assert!(of("{}").is_empty() && of("no json").is_empty());
    }
}
