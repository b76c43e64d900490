//! A good rule whose text is changed: what is replaced, by what, and what is told of it.

use super::*;

fn assert_told(table: &[(&str, &str, &str)]) {
    let good = rule(3, &tagged(r#""tagPatternList":["a*"]"#, PUSHED), ARCHIVE);
    assert!(LifecyclePolicy::parse(&policy(std::slice::from_ref(&good))).is_ok());
    for (from, to, expected) in table {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let found = refusal(&policy(&[bad]));
        assert!(found.starts_with(expected), "{from} -> {to}: {found}");
    }
}

#[test]
fn what_is_wrong_with_a_rule_is_told() {
    assert_told(&[
        (r#""rulePriority":3,"#, "", "rule 1 of the list: object has missing required properties (rulePriority)"),
        (":3,", ":0,", "rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is 0"),
        (":3,", ":-1,", "rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is -1"),
        (":3,", ":3.0,", "rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is 3.0"),
        (":3,", ":2147483648,", "rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is 214"),
        (":3,", r#":"3","#, r#"rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is "3""#),
        (":3,", ":null,", "rule 1 of the list: rulePriority must be an integer from 1 to 2147483647, and is null"),
        (":3,", r#":3,"rulePriority":4,"#, "rule 1 of the list: rulePriority stands twice"),
        (":3,", r#":3,"description":null,"#, "rule of rulePriority 3: description must be a string, and is null"),
        (
            ":3,",
            r#":3,"note":"","#,
            r#"rule 1 of the list: object instance has properties which are not allowed by the schema: ["note"]"#,
        ),
        (r#""action":{"#, r#""action":{"type":"expire","#, "rule of rulePriority 3, action: type stands twice"),
        (
            "transition",
            "expire",
            "rule of rulePriority 3, action: targetStorageClass is allowed with the type transition only",
        ),
        ("transition", "delete", r#"rule of rulePriority 3, action: type "delete" not found"#),
        (
            r#","targetStorageClass":"archive""#,
            "",
            "rule of rulePriority 3, action: object has missing required properties (targetStorageClass)",
        ),
        (
            r#"Class":"archive""#,
            r#"Class":"standard""#,
            r#"rule of rulePriority 3, action: targetStorageClass "standard" not found"#,
        ),
        (
            r#"Class":"archive""#,
            r#"Class":null"#,
            "rule of rulePriority 3, action: targetStorageClass must be a string, and is null",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_a_selection_is_told() {
    assert_told(&[
        (
            r#""selection":{"#,
            r#""selection":{"x":1,"#,
            "rule of rulePriority 3, selection: object instance has properties",
        ),
        (
            r#""tagged""#,
            r#""TAGGED""#,
            r#"rule of rulePriority 3, selection: tagStatus "TAGGED" not found in enum (possible values: tagged, untagged, any)"#,
        ),
        (
            r#""tagged""#,
            r#""untagged""#,
            "rule of rulePriority 3, selection: tagPatternList is allowed with tagStatus tagged only",
        ),
        (
            r#""tagged""#,
            r#""any""#,
            "rule of rulePriority 3, selection: tagPatternList is allowed with tagStatus tagged only",
        ),
        (
            r#""tagPatternList":["a*"],"#,
            "",
            "rule of rulePriority 3, selection: Must specify tagPrefixList or tagPatternList",
        ),
        (
            r#"["a*"],"#,
            r#"["a*"],"tagPrefixList":["a"],"#,
            "rule of rulePriority 3, selection: tagPrefixList and tagPatternList exclude each other",
        ),
        (r#"["a*"]"#, "[]", "rule of rulePriority 3, selection: tagPatternList must be a list of at least one string"),
        (
            r#"["a*"]"#,
            r#"["a", ""]"#,
            "rule of rulePriority 3, selection: tagPatternList must be a list of at least one string",
        ),
        (r#"["a*"]"#, "[1]", "rule of rulePriority 3, selection: tagPatternList must be a list of at least one string"),
        (
            r#"["a*"]"#,
            r#""a*""#,
            "rule of rulePriority 3, selection: tagPatternList must be a list of at least one string",
        ),
        (
            r#"["a*"]"#,
            r#"["*a*b*c*d*"]"#,
            "rule of rulePriority 3, selection: tagPatternList has a pattern with 5 wildcards",
        ),
        (r#""countUnit":"days","#, "", "rule of rulePriority 3, selection: countUnit is required"),
        (
            "days",
            "hours",
            r#"rule of rulePriority 3, selection: countUnit "hours" not found in enum (possible values: days)"#,
        ),
        (
            "sinceImagePushed",
            "imageCountMoreThan",
            "rule of rulePriority 3, selection: countUnit is not allowed with countType",
        ),
        (
            "sinceImagePushed",
            "sinceImagePush",
            r#"rule of rulePriority 3, selection: countType "sinceImagePush" not found"#,
        ),
        (":14", ":0", "rule of rulePriority 3, selection: countNumber must be an integer from 1"),
        (":14", ":1e1", "rule of rulePriority 3, selection: countNumber must be an integer from 1"),
        (
            r#","countNumber":14"#,
            "",
            "rule of rulePriority 3, selection: object has missing required properties (countNumber)",
        ),
    ]);
}
