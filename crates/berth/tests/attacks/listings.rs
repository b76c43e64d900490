//! A1 to A4: listings, and routes without login.

use berth_testkit::{Client, MIB, Server, empty_index, target_of};
use serde_json::Value;

use crate::people::{all_of, by_key, by_login, user};
use crate::support::{attack, attack_on, builder};

/// Repositories with one manifest each, which needs no blob, pushed by a few clients at once.
fn fill_repositories(server: &Server, count: usize) {
    let clients = 8;
    std::thread::scope(|scope| {
        for part in 0..clients {
            let client = server.client();
            scope.spawn(move || {
                for number in (part..count).step_by(clients) {
                    let name = format!("many/r{number:05}");
                    client.push_manifest(&name, "latest", &empty_index(&name)).expect(201);
                }
            });
        }
    });
}

fn names(reply: &berth_testkit::Reply, list: &str) -> Vec<String> {
    let body = reply.json();
    let Value::Array(items) = &body[list] else { panic!("no {list}: {body}") };
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The target of a `Link` header with `rel="next"`.
pub fn next_page(reply: &berth_testkit::Reply) -> Option<String> {
    let link = reply.header("link")?;
    let (target, relation) =
        link.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect("a Link of the usual form");
    assert!(relation.contains("rel=\"next\""), "{link}");
    assert!(target.starts_with("/v2/"), "{link}");
    Some(target.to_owned())
}

#[test]
fn a01_a_catalog_page_of_two_thousand_million_is_cut_to_a_thousand() {
    attack(|server| {
        fill_repositories(server, 1_005);
        let client = server.client();
        client.get("/v2/_catalog?n=1").expect(200);
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        let page = client.get("/v2/_catalog?n=2147483647").expect(200);
        let first = names(&page, "repositories");
        assert_eq!(first.len(), 1_000);
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 20 * MIB, "{grown} bytes more for one page");
        let rest = client.get(&next_page(&page).expect("a Link to the rest")).expect(200);
        assert_eq!(names(&rest, "repositories").len(), 5);
        assert_eq!(next_page(&rest), None);
    });
}

#[test]
fn a02_page_sizes_that_are_no_numbers_are_refused() {
    attack(|server| {
        let client = server.client();
        client.push_manifest("pages", "one", &empty_index("one")).expect(201);
        for size in ["-1", "abc", "1e9999", "1.5", "0x10", "+", "%00", "1%20", "NaN"] {
            for list in ["_catalog", "pages/tags/list"] {
                let reply = client.get(&format!("/v2/{list}?n={size}"));
                assert_eq!(reply.status, 400, "{list} n={size}: {}", reply.text());
            }
        }
        // A number it is, though a large one.
        client.get("/v2/_catalog?n=99999999999999999999999999").expect_any(&[200, 400]);
        let none = client.get("/v2/pages/tags/list?n=0").expect(200);
        assert_eq!(names(&none, "tags"), Vec::<String>::new());
        assert_eq!(none.header("link"), None);
    });
}

#[test]
fn a03_the_catalog_shows_a_caller_only_what_it_may_read() {
    let open = builder().args(["--anonymous-pull", "public/*"]);
    attack_on(open, |server| {
        let admin = server.client();
        for name in ["public/one", "public/deep/two", "publicity", "private/one", "apublic/x"] {
            admin.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let seen = names(&server.anonymous().get("/v2/_catalog").expect(200), "repositories");
        assert_eq!(seen, ["public/deep/two", "public/one"]);
        // A page's size counts what is shown, so its fill tells nothing about what is hidden.
        let first = server.anonymous().get("/v2/_catalog?n=1").expect(200);
        assert_eq!(names(&first, "repositories"), ["public/deep/two"]);
        let all = names(&admin.get("/v2/_catalog").expect(200), "repositories");
        assert_eq!(all.len(), 5);
    });
}

#[test]
fn a03_the_catalog_shows_a_user_what_its_policies_name() {
    attack(|server| {
        let admin = server.client();
        for name in ["team/one", "team/deep/two", "teamwork", "private/one", "ateam/x"] {
            admin.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let alice = user(server, "alice", &all_of("team/*"));
        for caller in [by_key(server, &alice), by_login(server, &alice)] {
            let seen = names(&caller.get("/v2/_catalog").expect(200), "repositories");
            assert_eq!(seen, ["team/deep/two", "team/one"]);
            let first = caller.get("/v2/_catalog?n=1").expect(200);
            assert_eq!(names(&first, "repositories"), ["team/deep/two"]);
            let rest = caller.get(&next_page(&first).expect("a second page")).expect(200);
            assert_eq!((names(&rest, "repositories"), next_page(&rest)), (vec!["team/one".to_owned()], None));
            // Where a listing goes on is for the client to say, and tells nothing.
            let behind = caller.get("/v2/_catalog?last=private/none").expect(200);
            assert_eq!(names(&behind, "repositories"), ["team/deep/two", "team/one"]);
        }
        by_key(server, &user(server, "bob", &all_of("bob/*"))).get("/v2/_catalog").expect(403);
    });
}

const SECRET_CONTENT: &str = "nobody else may see this";

fn assert_tells_nothing(reply: &berth_testkit::Reply, request: &str) {
    let text = reply.text();
    for word in [SECRET_CONTENT, "hidden/repo", "hidden-tag"] {
        let echoed = request.contains(word);
        assert!(echoed || !text.contains(word), "{request} told {word}: {text}");
    }
    assert_eq!(reply.header("docker-content-digest"), None, "{request}");
}

/// Every kind of request that the registry serves.
fn routes(blob: &str, manifest: &str) -> Vec<(&'static str, String)> {
    let mut routes = vec![
        ("GET", "v2/".to_owned()),
        ("HEAD", "v2/".to_owned()),
        ("GET", "v2".to_owned()),
        ("GET", "v2/_catalog".to_owned()),
        ("GET", "v2/hidden/repo/tags/list".to_owned()),
        ("GET", format!("v2/hidden/repo/referrers/{manifest}")),
        ("POST", "v2/hidden/repo/blobs/uploads/".to_owned()),
        ("POST", format!("v2/hidden/repo/blobs/uploads/?mount={blob}&from=hidden/repo")),
        ("PUT", "v2/hidden/repo/manifests/new".to_owned()),
    ];
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        routes.push((method, "v2/hidden/repo/blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned()));
    }
    for method in ["GET", "HEAD", "DELETE"] {
        routes.push((method, format!("v2/hidden/repo/blobs/{blob}")));
        routes.push((method, format!("v2/hidden/repo/manifests/{manifest}")));
        routes.push((method, "v2/hidden/repo/manifests/hidden-tag".to_owned()));
    }
    routes
}

fn plant(client: &Client) -> (String, String) {
    let image = berth_testkit::Image::of(vec![SECRET_CONTENT.as_bytes().to_vec()]);
    client.push_image("hidden/repo", "hidden-tag", &image);
    (berth_testkit::sha256(SECRET_CONTENT.as_bytes()), image.manifest.digest)
}

#[test]
fn a04_no_route_answers_a_caller_without_login() {
    attack(|server| {
        let (blob, manifest) = plant(&server.client());
        let nobody = server.anonymous();
        for (method, path) in routes(&blob, &manifest) {
            let reply = nobody.request(method, &format!("/{path}"), &[], &[]).expect(401);
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Basic "), "{method} {path}: challenge {challenge:?}");
            assert_tells_nothing(&reply, &path);
        }
    });
}

#[test]
fn a04_no_alternate_path_leads_past_the_login() {
    attack(|server| {
        let (blob, manifest) = plant(&server.client());
        let nobody = server.anonymous();
        let disguises: [fn(&str) -> String; 14] = [
            |path| format!("//{path}"),
            |path| format!("/{}", path.replacen("v2", "V2", 1)),
            |path| format!("/service/{path}"),
            |path| format!("/./{path}"),
            |path| format!("/x/../{path}"),
            |path| format!("/{}", path.replacen("v2", "%762", 1)),
            |path| format!("/{}", path.replacen("v2/", "v2//", 1)),
            |path| format!("/{}", path.replacen("v2/", "v2/./", 1)),
            |path| format!("/{}", path.replacen("v2/", "v2/%2e/", 1)),
            |path| format!("/{}", path.replacen("v2", "v2;x=1", 1)),
            |path| format!("/{path}/"),
            |path| format!("/healthz/../{path}"),
            |path| format!("/healthz/%2e%2e/{path}"),
            |path| format!("/metrics/..%2f{path}"),
        ];
        for disguise in disguises {
            for (method, path) in routes(&blob, &manifest) {
                let path = disguise(&path);
                let reply = nobody.request(method, &path, &[], &[]);
                assert!(matches!(reply.status, 400 | 401 | 404), "{method} {path}: {reply:?}");
                assert_tells_nothing(&reply, &path);
            }
        }
        for (method, path) in routes(&blob, &manifest) {
            let whole = format!("http://{}/{path}", server.addr());
            assert_tells_nothing(&nobody.request(method, &whole, &[], &[]).expect_any(&[400, 401, 404]), &path);
        }
    });
}

#[test]
fn a04_no_route_answers_a_user_without_rights() {
    attack(|server| {
        let (blob, manifest) = plant(&server.client());
        let alice = user(server, "alice", &all_of("team/*"));
        for caller in [by_key(server, &alice), by_login(server, &alice)] {
            for (method, path) in routes(&blob, &manifest) {
                let reply = caller.request(method, &format!("/{path}"), &[], &[]);
                let wanted = if matches!(path.as_str(), "v2" | "v2/") { 200 } else { 403 };
                assert_eq!(reply.status, wanted, "{method} {path}: {reply:?}");
                assert_tells_nothing(&reply, &path);
                for disguised in [format!("//{path}"), format!("/{path}/"), format!("/x/../{path}")] {
                    assert_tells_nothing(&caller.request(method, &disguised, &[], &[]), &disguised);
                }
            }
        }
    });
}

#[test]
fn a04_a_wrong_password_is_like_none() {
    attack(|server| {
        let (blob, manifest) = plant(&server.client());
        let wrong = [
            Client::login(server.addr(), berth_testkit::ADMIN_ID, "wrong"),
            Client::login(server.addr(), berth_testkit::ADMIN_ID, ""),
            Client::login(server.addr(), "AKIAAAAAAAAAAAAAAAAA", berth_testkit::ADMIN_SECRET),
            Client::login(server.addr(), "", berth_testkit::ADMIN_SECRET),
            Client::login(server.addr(), "AWS", berth_testkit::ADMIN_ID),
        ];
        for caller in wrong {
            for (method, path) in routes(&blob, &manifest) {
                assert_tells_nothing(&caller.request(method, &format!("/{path}"), &[], &[]).expect(401), &path);
            }
        }
        let session = target_of(&server.client().request("POST", "/v2/hidden/repo/blobs/uploads/", &[], &[]));
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            server.anonymous().request(method, &session, &[], &[]).expect(401);
        }
        server.client().get(&session).expect(204);
    });
}
