//! Responses of SAML 2.0 and the metadata of those who sign them.
