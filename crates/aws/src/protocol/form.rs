//! Forms: the body or the query string of a request of the Query protocol.

use std::collections::BTreeMap;

use super::ProtocolError;

/// Parameters that a form may have. Requests of IAM have some hundreds at most.
const MAX_PARAMETERS: usize = 10_000;

/// A form, `application/x-www-form-urlencoded`, decoded. No name stands twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    parameters: BTreeMap<String, String>,
}

impl Form {
    /// Reads a body, or a query string without its question mark.
    pub fn parse(text: &[u8]) -> Result<Self, ProtocolError> {
        Self::parse_parts(&[text])
    }

    /// Reads a form of several parts, such as a query string and a body: as if `&` stood between them.
    pub fn parse_parts(parts: &[&[u8]]) -> Result<Self, ProtocolError> {
        let mut form = Self::default();
        for pair in parts.iter().flat_map(|part| part.split(|b| *b == b'&')).filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            form.insert(name, value)?;
        }
        Ok(form)
    }

    fn insert(&mut self, name: String, value: String) -> Result<(), ProtocolError> {
        if self.parameters.len() >= MAX_PARAMETERS {
            return Err(ProtocolError::MalformedQuery(format!("more than {MAX_PARAMETERS} parameters")));
        }
        if self.parameters.contains_key(&name) {
            return Err(ProtocolError::DuplicateParameter(format!("Duplicate parameter: {name}")));
        }
        self.parameters.insert(name, value);
        Ok(())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The operation that is asked for; none where that is left out or empty.
    pub fn action(&self) -> Option<&str> {
        self.get("Action").filter(|action| !action.is_empty())
    }

    /// The version of the API that is asked.
    pub fn version(&self) -> Option<&str> {
        self.get("Version")
    }

    /// All parameters, sorted by name.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &[u8]) -> Result<String, ProtocolError> {
    let malformed = |what: &str| ProtocolError::MalformedQuery(format!("The query string is malformed: {what}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2).ok_or_else(|| malformed("a percent sign alone"))?;
                rest = after;
                hex_byte(digits).ok_or_else(|| malformed("a percent sign without two hexadecimal digits"))?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = 0;
    for digit in digits {
        byte = byte * 16 + char::from(*digit).to_digit(16)?;
    }
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let form = Form::parse(b"Action=CreateUser&&Version=2010-05-08&a%2Eb=1+2%2b%C3%A9&c=&d&e=f=g&").unwrap();
        assert_eq!((form.action(), form.version()), (Some("CreateUser"), Some("2010-05-08")));
        assert_eq!(form.get("a.b"), Some("1 2+é"));
        assert_eq!(
            (form.get("c"), form.get("d"), form.get("e"), form.get("f")),
            (Some(""), Some(""), Some("f=g"), None)
        );
        assert_eq!(form.parameters().count(), 6);
        assert_eq!(Form::parse(b"Action=").unwrap().action(), None);
        assert_eq!(Form::parse_parts(&[b"a=1", b"b=2"]), Form::parse(b"a=1&b=2"));
    }

    #[test]
    fn malformed_forms_are_refused() {
        for bad in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%=1", b"a=%+1", b"a=%ff", b"a=\xff", b"a=%C3"] {
            assert!(matches!(Form::parse(bad), Err(ProtocolError::MalformedQuery(_))), "{bad:?}");
        }
        for double in [&b"a=1&a=1"[..], b"a=1&%61=2"] {
            assert!(matches!(Form::parse(double), Err(ProtocolError::DuplicateParameter(_))), "{double:?}");
        }
        assert!(Form::parse_parts(&[b"a=1", b"a=1"]).is_err());
    }

    #[test]
    fn parameters_are_counted() {
        let form = |count: usize| (0..count).map(|n| format!("p{n}=")).collect::<Vec<_>>().join("&");
        assert!(Form::parse(form(MAX_PARAMETERS).as_bytes()).is_ok());
        assert!(Form::parse(form(MAX_PARAMETERS + 1).as_bytes()).is_err());
    }
}
