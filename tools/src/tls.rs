//! The certificates that encrypted connections trust.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use windlass_core::Failure;

/// Trusts the certificates of the system, which are read once. Without encryption no certificates are needed or read.
pub(super) fn client_config(is_encrypted: bool) -> Result<ClientConfig, Failure> {
    static ENCRYPTED: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = ENCRYPTED.get().filter(|_| is_encrypted) {
        return Ok(config.clone());
    }
    let wrong = |err: rustls::Error| {
        Failure::internal(format!(
            "could not prepare an encrypted connection ({err}): install the CA certificates"
        ))
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    if !is_encrypted {
        let no_certificates = RootCertStore::empty();
        return Ok(builder.with_root_certificates(no_certificates).with_no_client_auth());
    }
    let config = builder.with_platform_verifier().map_err(wrong)?.with_no_client_auth();
    Ok(ENCRYPTED.get_or_init(|| config).clone())
}
