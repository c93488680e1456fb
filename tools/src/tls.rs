//! What encrypted connections trust.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use windlass_core::Failure;

/// What the system trusts, read once. A connection that is not encrypted trusts nothing, and needs no certificates.
pub(super) fn client_config(is_encrypted: bool) -> Result<ClientConfig, Failure> {
    static TRUSTED: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = TRUSTED.get().filter(|_| is_encrypted) {
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
        let nothing = RootCertStore::empty();
        return Ok(builder.with_root_certificates(nothing).with_no_client_auth());
    }
    let config = builder.with_platform_verifier().map_err(wrong)?.with_no_client_auth();
    Ok(TRUSTED.get_or_init(|| config).clone())
}
