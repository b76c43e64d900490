//! No document that is accepted means something else to another parser.

use base64::Engine as _;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::{judged, provider, response};
use berth_testkit::Random;
use berth_testkit::saml::{Response, Style, disguised, encode, wrapped};

/// The text of the first and of the last `NameID` in a document, as quick-xml has them: readers take one or the other.
fn names(xml: &str) -> Option<(String, String)> {
    let mut reader = Reader::from_str(xml);
    let (mut all, mut open): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(start) if start.local_name().as_ref() == b"NameID" => open = Some(String::new()),
            Event::End(end) if end.local_name().as_ref() == b"NameID" => all.extend(open.take()),
            Event::Text(text) => {
                if let Some(name) = &mut open {
                    name.push_str(&text.decode().ok()?);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(name) = &mut open {
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => name.push(character),
                        None => name.push_str(resolve_predefined_entity(str::from_utf8(&reference).ok()?)?),
                    }
                }
            }
            _ => {}
        }
    }
    Some((all.first()?.trim().to_owned(), all.last()?.trim().to_owned()))
}

fn agrees(provider: &berth_testkit::saml::IdentityProvider, text: &str) -> bool {
    let Ok(claims) = judged(provider, text) else { return false };
    let xml = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap();
    assert_eq!(names(&xml), Some((claims.subject.clone(), claims.subject)), "{xml}");
    true
}

#[test]
fn the_name_is_the_same_to_quick_xml() {
    let provider = provider();
    let evil = Response::new("root", &["a,b"], super::NOW);
    let subjects = ["alice", "a&amp;b", "&amp;amp;", "a b", "ä", "a.evil", "x]]&gt;"];
    let mut accepted = 0;
    for subject in subjects {
        let response = Response { subject: subject.to_owned(), ..response() };
        accepted += u32::from(agrees(&provider, &provider.respond(&response).replace('\n', "")));
        for (_, text) in wrapped(&provider, &response, &evil).into_iter().chain(disguised(
            &provider,
            &response,
            "http://127.0.0.1:9/",
        )) {
            agrees(&provider, &text);
        }
    }
    assert_eq!(accepted, u32::try_from(subjects.len()).unwrap());
}

/// Pieces of markup at random places of a right response: whatever of it is accepted, both parsers read alike.
#[test]
fn the_name_is_the_same_wherever_markup_is_put() {
    let seed = berth_testkit::seed_from_environment();
    let mut random = Random::seeded(seed);
    let (provider, response) = (provider(), response());
    let right = provider.signed(&response.write(&response.assertion(&provider.entity_id)), &Style::default());
    let pieces = [
        "<!---->",
        "<!-- > -->",
        "<?x?>",
        "<![CDATA[x]]>",
        "&#x20;",
        "&#97;",
        "&amp;",
        "<a/>",
        "</a>",
        " ",
        "\n",
        "\"",
        "'",
        "xmlns=\"urn:x\"",
        "<saml:NameID>root</saml:NameID>",
        "]]>",
        "<!DOCTYPE x>",
        "\u{0}",
        "\u{feff}",
        "ID=\"_x\"",
    ];
    let mut accepted = 0;
    for _ in 0..4_000 {
        let place = random.below(right.len());
        let end = (place + random.below(3)).min(right.len());
        if !right.is_char_boundary(place) || !right.is_char_boundary(end) {
            continue;
        }
        let text = format!("{}{}{}", &right[..place], random.pick(&pieces), &right[end..]);
        accepted += u32::from(agrees(&provider, &encode(&text)));
    }
    assert!(accepted > 0, "nothing was accepted (seed {seed})");
}
