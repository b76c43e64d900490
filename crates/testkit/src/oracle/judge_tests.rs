//! Logs as short tables: what each leaves certain, possible, and impossible.

use super::super::{Event, What};
use super::*;

const R: &str = "team/app";
const PROMISE: u64 = 1_000;

/// A model after these events, a tenth of a second apart from 0 on.
fn after(events: impl IntoIterator<Item = What>) -> Model {
    let mut model = Model::default();
    let all = std::iter::once(What::Began(PROMISE)).chain(events);
    for (at, what) in all.enumerate() {
        model.apply(&Event { at: at as u64 * 100, what });
    }
    model
}

fn answer(status: u16) -> Answer {
    Answer { status: Some(status), ..Answer::default() }
}

fn unknown() -> Answer {
    Answer { code: Some("MANIFEST_BLOB_UNKNOWN".to_owned()), ..answer(400) }
}

fn put_blob(digest: &str) -> Call {
    Call::PutBlob { repository: R.to_owned(), digest: digest.to_owned(), length: 10 }
}

fn put(digest: &str, tag: &str, blob: &str) -> Call {
    Call::PutManifest {
        repository: R.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
        media_type: "m".to_owned(),
        length: 5,
        blobs: vec![blob.to_owned()],
        children: Vec::new(),
    }
}

fn delete(digest: &str) -> Call {
    Call::DeleteManifest { repository: R.to_owned(), digest: digest.to_owned() }
}

fn delete_blob(digest: &str) -> Call {
    Call::DeleteBlob { repository: R.to_owned(), digest: digest.to_owned() }
}

/// Calls with their statuses, 0 for none.
type Made<'row> = &'row [(Call, u16)];

/// The events of these calls.
fn calls(calls: &[(Call, u16)]) -> Vec<What> {
    let ended = |status: u16| if status == 0 { Answer::default() } else { answer(status) };
    calls.iter().flat_map(|(call, status)| [What::Intent(call.clone()), What::Answer(ended(*status))]).collect()
}

fn blob(model: &Model, there: bool, at: u64) -> bool {
    model.surprise(&Sight::Blob { repository: R.to_owned(), digest: "b".to_owned(), there }, at).is_none()
}

fn tag(model: &Model, names: Option<&str>) -> bool {
    let names = names.map(str::to_owned);
    model.surprise(&Sight::Tag { repository: R.to_owned(), tag: "t".to_owned(), names }, 0).is_none()
}

#[test]
fn blobs_are_there_as_long_as_they_are_promised_or_used() {
    let pushed = [(put_blob("b"), 201)];
    let used = [(put_blob("b"), 201), (put("m", "t", "b"), 201)];
    let deleted = [(put_blob("b"), 201), (put("m", "t", "b"), 201), (delete("m"), 202)];
    let rows: [(Made<'_>, u64, bool, bool); 10] = [
        // calls, at, may be there, may be gone
        (&[], 0, false, true),
        (&pushed, 1_099, true, false),
        (&pushed, 1_100, true, true),
        (&used, 9_999, true, false),
        (&deleted, 1_499, true, false),
        (&deleted, 1_500, true, true),
        (&[(put_blob("b"), 0)], 200, true, true),
        (&[(put_blob("b"), 503)], 200, true, true),
        (&[(put_blob("b"), 201), (delete_blob("b"), 202)], 300, false, true),
        (&[(put_blob("b"), 201), (delete_blob("b"), 0)], 300, true, true),
    ];
    for (row, (made, at, may_be_there, may_be_gone)) in rows.into_iter().enumerate() {
        let model = after(calls(made));
        assert_eq!((blob(&model, true, at), blob(&model, false, at)), (may_be_there, may_be_gone), "row {row}");
    }
}

#[test]
fn tags_are_what_was_acknowledged_last_unless_something_is_under_way() {
    let first = (put("m1", "t", "b"), 201);
    let rows: [(Made<'_>, bool, bool, bool); 6] = [
        // calls, may name m1, may name m2, may be none
        (&[], false, false, true),
        (std::slice::from_ref(&first), true, false, false),
        (&[first.clone(), (put("m2", "t", "b"), 201)], false, true, false),
        (&[first.clone(), (put("m2", "t", "b"), 0)], true, true, false),
        (&[first.clone(), (delete("m1"), 0)], true, false, true),
        // What is cut may still come behind what is acknowledged.
        (&[(put("m2", "t", "b"), 504), first.clone()], true, true, false),
    ];
    for (row, (made, m1, m2, none)) in rows.into_iter().enumerate() {
        let blobs = [(put_blob("b"), 201)];
        let model = after(calls(&[&blobs, made].concat()));
        assert_eq!((tag(&model, Some("m1")), tag(&model, Some("m2")), tag(&model, None)), (m1, m2, none), "row {row}");
    }
}

#[test]
fn a_sight_makes_certain_what_was_not() {
    let cut = [(put_blob("b"), 201), (put("m1", "t", "b"), 201), (put("m2", "t", "b"), 0)];
    let seen = |names: &str| {
        [
            What::Settled,
            What::Seen(Sight::Tag { repository: R.to_owned(), tag: "t".to_owned(), names: Some(names.to_owned()) }),
        ]
    };
    let model = after(calls(&cut).into_iter().chain(seen("m1")));
    assert!(tag(&model, Some("m1")) && !tag(&model, Some("m2")));
    // Without rest between, the call that was cut may still come.
    let [_, only_seen] = seen("m1");
    assert!(tag(&after(calls(&cut).into_iter().chain([only_seen])), Some("m2")));
}

#[test]
fn answers_that_break_a_promise_are_contradictions() {
    let blobs = [(put_blob("b"), 201)];
    let used = [(put_blob("b"), 201), (put("m", "t", "b"), 201)];
    let head = Call::Head { repository: R.to_owned(), digest: "b".to_owned() };
    let rows: [(Made<'_>, Call, Answer, u64, bool); 11] = [
        // calls before, call, answer, at, allowed
        (&blobs, put("m", "t", "b"), unknown(), 1_099, false),
        (&blobs, put("m", "t", "b"), unknown(), 1_100, true),
        (&used, put("m2", "t", "b"), unknown(), 9_000, false),
        (&[(put_blob("b"), 0)], put("m", "t", "b"), unknown(), 300, true),
        (&[], put("m", "t", "b"), answer(201), 300, false),
        (&used, put("m2", "t", "b"), answer(503), 300, true),
        (&used, head.clone(), answer(404), 9_000, false),
        (&blobs, head, answer(404), 9_000, true),
        (&used, delete_blob("b"), answer(202), 300, false),
        (&blobs, delete_blob("b"), answer(405), 300, false),
        (&used, delete("m"), answer(404), 300, false),
    ];
    for (row, (before, call, answer, at, allowed)) in rows.into_iter().enumerate() {
        let model = after(calls(before).into_iter().chain([What::Intent(call)]));
        assert_eq!(model.contradiction(&answer, at).is_none(), allowed, "row {row}");
    }
}

#[test]
fn uploads_hold_what_was_acknowledged_at_least_and_what_was_sent_at_most() {
    let begin = Call::Begin { repository: R.to_owned(), digest: "b".to_owned(), length: 10 };
    let answered = Answer { upload: Some("u".to_owned()), ..answer(202) };
    let chunk = |first, end| Call::Chunk { upload: "u".to_owned(), first, end };
    let finish = Call::Finish { upload: "u".to_owned(), digest: "b".to_owned(), first: 4, end: 10 };
    let held = |model: &Model| -> Vec<Option<usize>> {
        let sights = (0..=10).map(Some).chain([None]);
        let may_be = |offset| model.surprise(&Sight::Offset { upload: "u".to_owned(), offset }, 0).is_none();
        sights.filter(|&offset| may_be(offset)).collect()
    };
    let between = |least, most| (least..=most).map(Some).collect::<Vec<_>>();
    let four = || {
        [What::Intent(begin.clone()), What::Answer(answered.clone())].into_iter().chain(calls(&[(chunk(0, 4), 202)]))
    };
    let cut = || four().chain(calls(&[(chunk(4, 8), 0)]));
    assert_eq!(held(&after(four())), between(4, 4));
    assert_eq!(held(&after(cut())), between(4, 8));
    assert_eq!(held(&after(cut().chain([What::Settled]))), between(4, 8));
    assert_eq!(held(&after(cut().chain([What::PowerLost]))), between(0, 8));
    let finishing = after(four().chain(calls(&[(finish, 0)])));
    assert_eq!(held(&finishing), [between(4, 10), vec![None]].concat());
    let mut gone = finishing;
    gone.apply(&Event { at: 900, what: What::Seen(Sight::Offset { upload: "u".to_owned(), offset: None }) });
    assert!(!blob(&gone, false, 900), "an upload ends by becoming a blob");
}

#[test]
fn only_an_upload_that_lost_power_may_turn_out_to_hold_wrong_bytes() {
    let begin = Call::Begin { repository: R.to_owned(), digest: "b".to_owned(), length: 10 };
    let answered = Answer { upload: Some("u".to_owned()), ..answer(202) };
    let started = || [What::Intent(begin.clone()), What::Answer(answered.clone())].into_iter();
    let chunk = || calls(&[(Call::Chunk { upload: "u".to_owned(), first: 0, end: 10 }, 202)]);
    let seen = |offset| What::Seen(Sight::Offset { upload: "u".to_owned(), offset: Some(offset) });
    let finish = Call::Finish { upload: "u".to_owned(), digest: "b".to_owned(), first: 10, end: 10 };
    let wrong = Answer { code: Some("DIGEST_INVALID".to_owned()), ..answer(400) };
    let rows = [
        (vec![], false),
        (vec![What::Settled, seen(10)], false),
        (vec![What::PowerLost, seen(10)], true),
        (vec![What::PowerLost, What::Settled, seen(10)], true),
        (vec![What::PowerLost, seen(0)], false),
    ];
    for (row, (between, allowed)) in rows.into_iter().enumerate() {
        let events = started().chain(chunk()).chain(between).chain([What::Intent(finish.clone())]);
        let mut model = after(events);
        assert_eq!(model.contradiction(&wrong, 500).is_none(), allowed, "row {row}");
        model.apply(&Event { at: 600, what: What::Answer(wrong.clone()) });
        assert!(model.uploads.is_empty() && !blob(&model, true, 600), "row {row}");
    }
}

#[test]
fn the_list_of_tags_is_that_of_the_model() {
    let model = after(calls(&[(put_blob("b"), 201), (put("m", "t", "b"), 201), (put("m", "u", "b"), 0)]));
    let allowed = |tags: &[&str]| {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        model.surprise(&Sight::Tags { repository: R.to_owned(), tags }, 0).is_none()
    };
    assert!(allowed(&["t"]) && allowed(&["t", "u"]));
    assert!(!allowed(&[]) && !allowed(&["u"]) && !allowed(&["u", "t"]) && !allowed(&["t", "x"]));
}

#[test]
fn a_log_that_ends_with_an_intent_ends_in_doubt() {
    let mut model = after([What::Intent(put_blob("b"))]);
    model.apply(&Event { at: 100, what: What::Settled });
    assert!(blob(&model, true, 200) && blob(&model, false, 200));
}
