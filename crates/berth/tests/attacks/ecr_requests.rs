//! A5 to A8, A47 and A58 at the door of ECR: bodies and headers that no decent client sends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_testkit::aws::{AwsClient, AwsRequest, Signing, fault_code};
use berth_testkit::{Client, MIB, Reply, Server, empty_index};
use serde_json::{Value, json};

use crate::ecr::{self, begin, call, done, expect_exception, operations, part, refused, repositories, repository};
use crate::people::{admin, nothing, user};
use crate::support::{attack, attack_on, builder};
use crate::uploads::at_once;

/// What all large bodies may take together, and the noise of an allocator.
const MEMORY: u64 = (256 + 96) * MIB;
/// The longest bodies: of layer parts, of manifests, of everything else.
const LIMITS: [(&str, usize); 3] = [("UploadLayerPart", 28 << 20), ("PutImage", 9 << 20), ("ListImages", 1 << 20)];

/// A call with a body that need not be JSON.
fn raw(by: &AwsClient, operation: &str, body: &[u8]) -> Reply {
    let mut request = AwsRequest::ecr(operation, "");
    request.body = body.to_vec();
    by.send(&Signing::new(&by.keys, "ecr").sign(request, &by.host()))
}

#[track_caller]
fn expect_unreadable(operation: &str, reply: &Reply) {
    let code = fault_code(reply).unwrap_or_default();
    let known = ["SerializationException", "InvalidParameterException"].contains(&code.as_str());
    assert!(reply.status == 400 && known, "{operation}: {} {:.300}", reply.status, reply.text());
}

#[test]
fn a07_ecr_refuses_deeply_nested_json_and_the_stack_stays_whole() {
    attack(|server| {
        let admin = admin(server);
        for operation in operations() {
            let longest = if operation.name == "UploadLayerPart" { 10_000_000 } else { 500_000 };
            for depth in [10_000, longest] {
                let arrays = "[".repeat(depth) + &"]".repeat(depth);
                let objects = r#"{"":"#.repeat(depth / 3) + "1" + &"}".repeat(depth / 3);
                let first = operation.input.members().first().map_or("repositoryName", |member| member.name);
                let bodies = [
                    arrays.clone(),
                    objects,
                    "[".repeat(depth),
                    format!("{{\"unknown\":{arrays}}}"),
                    format!("{{\"{first}\":{}}}", &arrays[depth / 2..depth + depth / 2]),
                ];
                for body in bodies.iter().take(if depth > 10_000 { 3 } else { 5 }) {
                    expect_unreadable(operation.name, &raw(&admin, operation.name, body.as_bytes()));
                }
            }
        }
    });
}

/// Small things in great number: what a reader makes of each may be a hundred times larger than its text.
#[test]
fn a07_wide_json_costs_ecr_little_memory() {
    attack(|server| {
        let admin = admin(server);
        let units = [r#"{"":0},"#, "0,", "[],", r#""","#, "{},"];
        let bodies: Vec<(&str, AwsRequest)> = LIMITS
            .iter()
            .flat_map(|(operation, limit)| units.map(|unit| (*operation, *limit, unit)))
            .map(|(operation, limit, unit)| {
                let room = limit - 100;
                let list = unit.repeat(room / unit.len());
                let body = format!("{{\"repositoryName\":\"none/such\",\"unknown\":[{list}0]}}");
                let request = AwsRequest::ecr(operation, &body);
                (operation, Signing::new(&admin.keys, "ecr").sign(request, &admin.host()))
            })
            .collect();
        for (operation, request) in &bodies {
            server.process().reset_peak();
            let before = server.process().rss_bytes();
            let replies = at_once(4, |_| crate::people::admin(server).send(request));
            let grown = server.process().peak_rss_bytes().saturating_sub(before);
            let length = request.body.len();
            for reply in replies {
                assert!(matches!(reply.status, 400 | 413), "{operation}: {} {:.200}", reply.status, reply.text());
            }
            println!("{operation}: 4 bodies of {length} bytes, {} MiB more at the peak", grown / MIB);
            assert!(grown < MEMORY, "{operation}: 4 bodies of {length} bytes, {} MiB more at the peak", grown / MIB);
        }
    });
}

#[test]
fn a08_a_member_that_comes_twice_is_refused_by_ecr() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "first");
        let bodies = [
            ("CreateRepository", r#"{"repositoryName":"second","repositoryName":"third"}"#),
            ("CreateRepository", r#"{"repositoryName":"second","repositoryN\u0061me":"third"}"#),
            ("CreateRepository", r#"{"repositoryName":"second","repositoryName":"second"}"#),
            ("CreateRepository", r#"{"repositoryName":"second","repositoryName":null}"#),
            ("CreateRepository", r#"{"repositoryName":null,"repositoryName":"second"}"#),
            ("DeleteRepository", r#"{"repositoryName":"none","repositoryName":"first"}"#),
            ("DeleteRepository", r#"{"repositoryName":"first","repositoryName":"none"}"#),
            ("BatchGetImage", r#"{"repositoryName":"first","imageIds":[{"imageTag":"a","imageTag":"b"}]}"#),
            ("InitiateLayerUpload", r#"{"repositoryName":"none","repositoryName":"first"}"#),
        ];
        for (operation, body) in bodies {
            let reply = admin.ecr(operation, body);
            expect_exception(body, &reply, "SerializationException");
        }
        let id = begin(&admin, "first");
        let part = |name: &str, blobs: &str| {
            let members = r#""partFirstByte":0,"partLastByte":0"#;
            admin.ecr("UploadLayerPart", &format!(r#"{{{name},"uploadId":"{id}",{members},{blobs}}}"#))
        };
        let (own, twice) = (r#""repositoryName":"first""#, r#""repositoryName":"first","repositoryName":"first""#);
        let (blob, blobs) = (r#""layerPartBlob":"eA==""#, r#""layerPartBlob":"eA==","layerPartBlob":"eQ==""#);
        for (name, blob) in [(twice, blob), (own, blobs)] {
            expect_exception(blob, &part(name, blob), "SerializationException");
        }
        part(own, blob).expect(200);
        assert_eq!(repositories(&admin), ["first"]);
    });
}

#[test]
fn a08_what_is_no_json_is_refused_by_every_operation() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "good");
        let bodies: Vec<&[u8]> = vec![
            b"[]",
            b"\"text\"",
            b"7",
            b"true",
            b"{",
            b"}",
            b"{}{}",
            b"{} x",
            b"{}\0",
            b"\0",
            b"\xef\xbb\xbf{}",
            b"{'repositoryName':'good'}",
            b"{repositoryName:\"good\"}",
            b"{\"repositoryName\":\"good\",}",
            b"{\"repositoryName\":\"good\"/**/}",
            b"{\"repositoryName\":\"\xff\xfe\"}",
            b"{\"repositoryName\":\"\xed\xa0\x80\"}",
            b"{\"repositoryName\":\"\\ud800\"}",
            b"{\"repositoryName\":\"\\udc00\\ud800\"}",
            b"{\"repositoryName\":\"\\u12\"}",
            b"{\"repositoryName\":\"\\x41\"}",
            b"{\"repositoryName\":\"a\nb\"}",
            b"{\"unknown\":\"\\ud800\"}",
            b"{\"unknown\":NaN}",
            b"{\"unknown\":Infinity}",
            b"{\"unknown\":01}",
            b"{\"unknown\":+1}",
            b"{\"unknown\":.5}",
            b"{\"unknown\":1.}",
            b"{\"unknown\":0x10}",
            b"{\"unknown\":tru}",
            b"Action=ListImages&Version=2015-09-21",
            b"<xml/>",
        ];
        for operation in operations() {
            for body in &bodies {
                let reply = raw(&admin, operation.name, body);
                let text = String::from_utf8_lossy(body);
                if operation.name == "UploadLayerPart" && text.starts_with("{\"unknown\":\"") {
                    // Of what this operation does not know it looks at the form only, because bodies are long.
                    expect_unreadable(operation.name, &reply);
                    continue;
                }
                expect_exception(&format!("{} {text}", operation.name), &reply, "SerializationException");
            }
        }
        assert_eq!(repositories(&admin), ["good"]);
    });
}

#[test]
fn a08_numbers_that_are_none_are_refused_by_ecr() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "good");
        let long = "9".repeat(100_000);
        let long_fraction = format!("0.{long}");
        let numbers = [
            ("0", "InvalidParameterException"),
            ("1001", "InvalidParameterException"),
            ("-1", "InvalidParameterException"),
            ("2147483647", "InvalidParameterException"),
            ("2147483648", "SerializationException"),
            ("-2147483649", "SerializationException"),
            ("9223372036854775808", "SerializationException"),
            ("18446744073709551616", "SerializationException"),
            ("1.5", "SerializationException"),
            ("1e1", "SerializationException"),
            ("1e400", "SerializationException"),
            ("1e-400", "SerializationException"),
            ("1e999999999999999999", "SerializationException"),
            ("-0.0", "SerializationException"),
            ("\"1\"", "SerializationException"),
            ("true", "SerializationException"),
            ("[1]", "SerializationException"),
            ("{}", "SerializationException"),
            (&long, "SerializationException"),
            (&long_fraction, "SerializationException"),
        ];
        for (number, exception) in numbers {
            let body = format!("{{\"repositoryName\":\"good\",\"maxResults\":{number}}}");
            expect_exception(&format!("{number:.40}"), &admin.ecr("ListImages", &body), exception);
        }
    });
}

#[test]
fn a58_the_target_names_one_operation_or_none() {
    attack(|server| {
        let admin = admin(server);
        let prefix = "AmazonEC2ContainerRegistry_V20150921";
        let unknown = [
            String::new(),
            ".".to_owned(),
            prefix.to_owned(),
            format!("{prefix}."),
            format!("{prefix}.createRepository"),
            format!("{prefix}.CREATEREPOSITORY"),
            format!("{prefix}.CreateRepository2"),
            format!("{prefix}.CreateRepository.CreateRepository"),
            format!("{prefix}..CreateRepository"),
            format!("{prefix}/CreateRepository"),
            format!("{prefix}.CreateRepository,{prefix}.CreateRepository"),
            format!("{prefix}.CreateRepositoryé"),
            format!("{prefix}.CreateUser"),
            "AmazonEC2ContainerRegistry_V20160101.CreateRepository".to_owned(),
            "amazonec2containerregistry_v20150921.CreateRepository".to_owned(),
            "AmazonEC2ContainerServiceV20141113.CreateRepository".to_owned(),
            "DynamoDB_20120810.CreateRepository".to_owned(),
            "CreateRepository".to_owned(),
            format!("{prefix}.{}", "A".repeat(10_000)),
        ];
        for target in unknown {
            let mut request = AwsRequest::ecr("CreateRepository", r#"{"repositoryName":"made/by/trick"}"#);
            request.headers.retain(|(name, _)| name != "x-amz-target");
            let request = request.with("x-amz-target", &target);
            let reply = admin.send(&Signing::new(&admin.keys, "ecr").sign(request, &admin.host()));
            let code = fault_code(&reply).unwrap_or_default();
            let known = ["UnknownOperationException", "InvalidSignatureException"].contains(&code.as_str());
            assert!(reply.status == 400 && known, "{target:.80}: {} {}", reply.status, reply.text());
        }
        // Two headers are signed as one whose values have a comma between them, so this signature is right.
        let [first, second] = ["CreateRepository", "ListImages"].map(|name| format!("{prefix}.{name}"));
        for (one, other) in [(&first, &second), (&second, &first), (&first, &first)] {
            let mut request = AwsRequest::ecr("", r#"{"repositoryName":"made/by/trick"}"#);
            request.headers.retain(|(name, _)| name != "x-amz-target");
            let request = request.with("x-amz-target", &format!("{one},{other}"));
            let mut signed = Signing::new(&admin.keys, "ecr").sign(request, &admin.host());
            signed.headers.retain(|(name, _)| name != "x-amz-target");
            let reply = admin.send(&signed.with("X-Amz-Target", one).with("X-Amz-Target", other));
            assert_eq!(reply.status, 400, "{}", reply.text());
        }
        // A target that was not signed, or put in the place of the signed one.
        let signing = Signing::new(&admin.keys, "ecr");
        let unsigned = Signing { unsigned: vec!["x-amz-target".to_owned()], ..signing.clone() };
        let body = r#"{"repositoryName":"made/by/trick"}"#;
        let mut changed = signing.sign(AwsRequest::ecr("ListImages", body), &admin.host());
        changed.headers.retain(|(name, _)| name != "x-amz-target");
        let changed = changed.with("x-amz-target", &first);
        for request in [unsigned.sign(AwsRequest::ecr("CreateRepository", body), &admin.host()), changed] {
            expect_exception("unsigned", &admin.send(&request), "InvalidSignatureException");
        }
        assert!(repositories(&admin).is_empty());
    });
}

/// The headers of a signed call whose body has a length and was not made yet.
fn head(by: &AwsClient, operation: &str, length: &str) -> Vec<(String, String)> {
    let signed = Signing::new(&by.keys, "ecr").sign(AwsRequest::ecr(operation, "{}"), &by.host());
    let mut headers = signed.headers;
    let framing = if length.is_empty() { ("Transfer-Encoding", "chunked") } else { ("Content-Length", length) };
    headers.push((framing.0.to_owned(), framing.1.to_owned()));
    headers
}

fn open(client: &Client, headers: &[(String, String)]) -> berth_testkit::RawConnection {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    client.open("POST", "/", &headers)
}

#[test]
fn a05_a_body_declared_too_long_is_refused_before_it_is_read() {
    attack(|server| {
        let admin = admin(server);
        for (operation, limit) in LIMITS {
            for length in [limit + 1, 1 << 40] {
                // Not one byte of the body is sent.
                let mut connection = open(&server.anonymous(), &head(&admin, operation, &length.to_string()));
                connection.read_reply("POST").unwrap().expect(413);
            }
        }
        // Who is nobody is not even listened to for as long as others may speak.
        let stranger = admin.with(berth_testkit::aws::Keys::new("AKIAAAAAAAAAAAAAAAAA", "secret"));
        let mut connection = open(&server.anonymous(), &head(&stranger, "UploadLayerPart", "29360128"));
        expect_exception("", &connection.read_reply("POST").unwrap(), "UnrecognizedClientException");
    });
}

#[test]
fn a06_an_endless_chunked_body_is_cut_at_the_limit() {
    attack(|server| {
        let admin = admin(server);
        for (operation, _) in LIMITS {
            let mut connection = open(&server.anonymous(), &head(&admin, operation, ""));
            let (chunk, mut sent) = (vec![b' '; 64 * 1024], 0);
            while !connection.has_news() && connection.send_chunk(&chunk).is_ok() {
                sent += chunk.len();
                assert!(sent < 64 << 20, "{operation}: the server reads on after {sent} bytes");
            }
            connection.read_reply("POST").unwrap().expect(413);
            assert!(connection.is_closed_within(Duration::from_secs(20)), "the connection stays open");
        }
    });
}

#[test]
fn a06_a_hundred_long_bodies_at_once_share_a_bounded_memory() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "layers");
        let eve = user(server, "eve", &nothing());
        let block = vec![b'A'; 1 << 20];
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        // The signature is not that of this body: nothing but reading is done.
        let headers = head(&eve, "UploadLayerPart", &(28 << 20).to_string());
        let statuses = at_once(100, |_| {
            let mut connection = open(&server.anonymous(), &headers);
            connection.read_timeout(Duration::from_mins(5));
            for _ in 0..28 {
                if connection.send_within(&block, Duration::from_mins(5)).is_err() {
                    break;
                }
            }
            connection.read_reply("POST").map_or(0, |reply| reply.status)
        });
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        let refused = statuses.iter().filter(|status| matches!(status, 400 | 403)).count();
        println!("{refused} of 100 bodies were read and refused; {} MiB more at the peak", grown / MIB);
        assert!(statuses.iter().all(|status| matches!(status, 400 | 403 | 408 | 413 | 503)), "{statuses:?}");
        assert!(grown < MEMORY, "{} MiB more at the peak", grown / MIB);
        // And others go on.
        let id = begin(&admin, "layers");
        part(&admin, "layers", &id, 0, &vec![1; 20 << 20]).expect(200);
    });
}

/// Who declares long bodies and sends nothing keeps nobody out: all of them are still silent when others are done.
#[test]
fn a06_long_bodies_that_never_come_keep_nobody_out() {
    attack_on(builder().setting("server.body_timeout", "10m"), |server| {
        let admin = admin(server);
        repository(&admin, "layers");
        let eve = user(server, "eve", &nothing());
        let silent: Vec<_> = (0..100)
            .map(|_| open(&server.anonymous(), &head(&eve, "UploadLayerPart", &(28 << 20).to_string())))
            .collect();
        let id = begin(&admin, "layers");
        part(&admin, "layers", &id, 0, b"short ones need no share").expect(200);
        ecr::put(&admin, "layers", "latest", &empty_index("x")).expect(200);
        let id = begin(&admin, "layers");
        part(&admin, "layers", &id, 0, &vec![1; 20 << 20]).expect(200);
        drop(silent);
    });
}

/// Operations that give pages, in a registry where each of them has more than one.
fn paged(server: &Server) -> Vec<(&'static str, Value)> {
    let admin = admin(server);
    for name in ["pages", "more"] {
        repository(&admin, name);
        for tag in ["a", "b", "c"] {
            ecr::put(&admin, name, tag, &empty_index(&format!("{name} {tag}"))).expect(200);
        }
        let rule = json!({ "ecrRepositoryPrefix": name, "upstreamRegistryUrl": "public.ecr.aws" });
        done(&admin, "CreatePullThroughCacheRule", &rule);
        done(&admin, "CreateRepositoryCreationTemplate", &json!({ "prefix": name, "appliedFor": ["CREATE_ON_PUSH"] }));
        let arn = format!("arn:aws:iam::000000000000:role/{name}");
        done(&admin, "RegisterPullTimeUpdateExclusion", &json!({ "principalArn": arn }));
    }
    let subject = empty_index("subject");
    ecr::put(&admin, "pages", "subject", &subject).expect(200);
    for name in ["x", "y"] {
        let about = berth_testkit::referrer(&subject.descriptor(), "application/x", &json!({ "name": name }));
        ecr::put(&admin, "pages", name, &about).expect(200);
    }
    let within = json!({ "repositoryName": "pages" });
    let referrers = json!({ "repositoryName": "pages", "subjectId": { "imageDigest": subject.digest } });
    vec![
        ("ListImages", within.clone()),
        ("DescribeImages", within),
        ("DescribeRepositories", json!({})),
        ("ListImageReferrers", referrers),
        ("DescribePullThroughCacheRules", json!({})),
        ("DescribeRepositoryCreationTemplates", json!({})),
        ("ListPullTimeUpdateExclusions", json!({})),
    ]
}

fn with_token(input: &Value, token: &str) -> Value {
    let mut input = input.clone();
    input["nextToken"] = json!(token);
    input
}

#[test]
fn a47_a_page_token_goes_on_where_it_came_from_and_nowhere_else() {
    attack(|server| {
        let admin = admin(server);
        let lists = paged(server);
        let token = |operation: &str, input: &Value| {
            let mut input = input.clone();
            input["maxResults"] = json!(1);
            done(&admin, operation, &input)["nextToken"].as_str().unwrap().to_owned()
        };
        let tokens: Vec<String> = lists.iter().map(|(operation, input)| token(operation, input)).collect();
        for (number, (operation, input)) in lists.iter().enumerate() {
            for (other, token) in tokens.iter().enumerate() {
                let asked = with_token(input, token);
                if number == other {
                    done(&admin, operation, &asked);
                } else {
                    refused(&admin, operation, &asked, "InvalidParameterException");
                }
            }
            let own = &tokens[number];
            // A shorter or a longer key is a key as well, so neither is tried.
            let garbage = [
                "",
                " ",
                "x",
                "%",
                "../../etc/passwd",
                "' OR 1=1 --",
                "\0",
                "é",
                &own[1..],
                &format!("{own}="),
                &"A".repeat(500_000),
            ];
            for token in garbage {
                refused(&admin, operation, &with_token(input, token), "InvalidParameterException");
            }
        }
    });
}

/// Tokens are not secret, and whoever reads one can write another: such a one shows nothing that its writer may not see.
#[test]
fn a78_a_page_token_that_was_written_by_hand_asks_the_database_nothing_else() {
    attack(|server| {
        let admin = admin(server);
        let lists = paged(server);
        let mut input = lists[0].1.clone();
        input["maxResults"] = json!(1);
        let own = done(&admin, "ListImages", &input)["nextToken"].as_str().unwrap().to_owned();
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(own).unwrap()).unwrap();
        let (head, _) = plain.split_once("ListImages").unwrap();
        for (operation, input) in &lists {
            let whole = done(&admin, operation, input).to_string();
            for key in ["' OR '1'='1", "x'; DROP TABLE tags; --", "%", "_", "\u{10ffff}", &"z".repeat(100_000), "0"] {
                for form in [format!("{head}{operation}:{key}"), plain.replace("ListImages", operation) + key] {
                    let reply = call(&admin, operation, &with_token(input, &URL_SAFE_NO_PAD.encode(form)));
                    if reply.status != 200 {
                        expect_exception(operation, &reply, "InvalidParameterException");
                        continue;
                    }
                    let answer = reply.json();
                    let lists = answer.as_object().unwrap().values().filter_map(Value::as_array);
                    for item in lists.flatten() {
                        assert!(whole.contains(&item.to_string()), "{operation} {key:.40}: {item}");
                    }
                }
            }
        }
        assert_eq!(repositories(&admin), ["more", "pages"]);
    });
}
