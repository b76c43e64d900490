//! A89 of records: whatever is shown or handed out, no record holds it. Every other attack is searched for that too, when its server
//! has ended (`support`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::{ADMIN_ID, Client, Image, secrets};
use serde_json::{Value, json};

use crate::ecr::{done, repository};
use crate::people::{admin, all_of, user};
use crate::support::attack;

/// Searched for when the server has ended.
const TYPED_INTO_THE_WRONG_FIELD: &str = "correcthorsebatterystaplecorrecthorse";

#[test]
fn a89_no_record_holds_what_was_shown_or_handed_out() {
    attack(|server| {
        secrets::note(TYPED_INTO_THE_WRONG_FIELD);
        let admin = admin(server);
        let alice = user(server, "alice", &all_of("team/*"));
        let session = admin.sts("GetSessionToken", &[]).expect(200);
        AwsClient::new(server.addr(), Keys::of(&session)).sts("GetCallerIdentity", &[]).expect(200);
        let password = alice.login_password();
        Client::login(server.addr(), "AWS", &password).get("/v2/").expect(200);
        Client::login(server.addr(), "AWS", &password[..password.len() - 4]).get("/v2/").expect(401);
        Client::login(server.addr(), &password, &password).get("/v2/").expect(401);
        Client::login(server.addr(), TYPED_INTO_THE_WRONG_FIELD, "x").get("/v2/").expect(401);
        Client::login(server.addr(), ADMIN_ID, TYPED_INTO_THE_WRONG_FIELD).get("/v2/").expect(401);
        Client::bearer(server.addr(), &password).get("/v2/").expect(401);
        let token = server.client().get("/token?service=berth").expect(200).json();
        let bearer = Client::bearer(server.addr(), token["token"].as_str().unwrap());
        bearer.get("/v2/_catalog");
        // The address of a layer, good and bad; and a secret as a layer.
        repository(&admin, "team/a");
        let image = Image::of(vec![TYPED_INTO_THE_WRONG_FIELD.as_bytes().to_vec()]);
        server.client().push_image("team/a", "latest", &image);
        let layer = berth_testkit::sha256(&image.layers[0]);
        let asked = json!({ "repositoryName": "team/a", "layerDigest": layer });
        let url = done(&admin, "GetDownloadUrlForLayer", &asked)["downloadUrl"].as_str().unwrap().to_owned();
        secrets::note(url.split_once("download=").unwrap().1);
        let path = url.strip_prefix(&format!("http://{}", admin.host())).unwrap();
        server.anonymous().get(path).expect(200);
        server.anonymous().get(&path[..path.len() - 4]).expect(401);
        let begun: Value = done(&admin, "InitiateLayerUpload", &json!({ "repositoryName": "team/a" }));
        let blob = STANDARD.encode(TYPED_INTO_THE_WRONG_FIELD);
        secrets::note(&blob);
        let part = json!({ "repositoryName": "team/a", "uploadId": begun["uploadId"], "partFirstByte": 0,
            "partLastByte": TYPED_INTO_THE_WRONG_FIELD.len() - 1, "layerPartBlob": blob });
        done(&admin, "UploadLayerPart", &part);
    });
}
