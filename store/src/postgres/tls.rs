//! Encryption, as `sslmode` and `sslrootcert` ask for it, and the checks of a server's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::config::SslMode;

use crate::location::Parameters;

/// How a connection is encrypted: libpq's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Never.
    Disable,
    /// Only if the server refuses an unencrypted connection.
    Allow,
    /// If the server can.
    Prefer,
    /// Always.
    Require,
    /// Always, with a certificate of a trusted authority.
    VerifyCa,
    /// Always, with such a certificate for this host.
    VerifyFull,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Everybody's: the issuer is not checked.
    Unchecked,
    /// Those of the authorities that this machine trusts.
    System,
    /// Those in a file.
    File(PathBuf),
}

impl Mode {
    /// The ways to connect, in the order in which they are tried.
    pub(super) const fn ways(self) -> &'static [SslMode] {
        match self {
            Self::Disable => &[SslMode::Disable],
            Self::Allow => &[SslMode::Disable, SslMode::Require],
            Self::Prefer => &[SslMode::Prefer, SslMode::Disable],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[SslMode::Require],
        }
    }
}

/// Reads `sslmode` and `sslrootcert`.
pub(super) fn read(parameters: &Parameters) -> Result<(Mode, Roots), String> {
    let roots = match parameters.get("sslrootcert").map(String::as_str) {
        None | Some("") => Roots::Unchecked,
        Some("system") => Roots::System,
        Some(file) => Roots::File(PathBuf::from(file)),
    };
    let mode = match parameters.get("sslmode").map(String::as_str) {
        None if roots == Roots::System => Mode::VerifyFull,
        None | Some("prefer") => Mode::Prefer,
        Some("disable") => Mode::Disable,
        Some("allow") => Mode::Allow,
        Some("require") => Mode::Require,
        Some("verify-ca") => Mode::VerifyCa,
        Some("verify-full") => Mode::VerifyFull,
        Some(other) => {
            return Err(format!(
                "there is no `sslmode={other}`: it is `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`"
            ));
        }
    };
    match (mode, &roots) {
        (Mode::VerifyCa | Mode::VerifyFull, Roots::Unchecked) => Err(
            "to verify a certificate, `sslrootcert` has to name the file of the authority that issued it, or be `system` \
             for those whom this machine trusts"
                .to_owned(),
        ),
        // Without a check of the name, any certificate of a public authority would be accepted.
        (Mode::Allow | Mode::Prefer | Mode::Require | Mode::VerifyCa, Roots::System) => {
            Err("with `sslrootcert=system`, `sslmode` has to be `verify-full`".to_owned())
        }
        _ => Ok((mode, roots)),
    }
}

/// The TLS configuration for a mode.
pub(super) fn client_config(mode: Mode, roots: &Roots) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unprepared = |error: Error| {
        format!(
            "encryption cannot be prepared ({error}): install the CA certificates of this machine"
        )
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unprepared)?;
    let trusted = match roots {
        Roots::File(file) if mode != Mode::Disable => Some(read_roots(file)?),
        Roots::File(_) | Roots::System | Roots::Unchecked => None,
    };
    let mut config = match (mode, trusted) {
        (Mode::VerifyFull, Some(trusted)) => builder.with_root_certificates(trusted),
        (Mode::VerifyFull, None) => builder.with_platform_verifier().map_err(unprepared)?,
        (_, trusted) => {
            let verifier = ByIssuer::new(trusted, &provider);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn read_roots(file: &Path) -> Result<RootCertStore, String> {
    let wrong = |reason: &dyn std::fmt::Display| {
        format!("the file `{}` of `sslrootcert` cannot be used ({reason})", file.display())
    };
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"it has no certificate that begins with `-----BEGIN CERTIFICATE-----`"));
    }
    Ok(roots)
}

/// Checks the issuer of a certificate, if there is a list of trusted ones, and that the server has its key; never the name in it.
#[derive(Debug)]
struct ByIssuer {
    trusted: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ByIssuer {
    fn new(trusted: Option<RootCertStore>, provider: &CryptoProvider) -> Self {
        Self { trusted, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for ByIssuer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trusted) = &self.trusted {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                trusted,
                between,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Explains what is wrong with a server's certificate or encryption, and what to do.
pub(super) fn explain(error: &Error, roots: &Roots) -> String {
    let Error::InvalidCertificate(wrong) = error else {
        return format!("encryption failed ({error})");
    };
    // The last is that of an authority of the same name with another key.
    let is_foreign = matches!(
        wrong,
        CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    );
    let is_other_name = matches!(
        wrong,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    );
    match roots {
        Roots::File(file) if is_foreign => format!(
            "its certificate was issued by nobody in `{}`: let `sslrootcert` name the certificate of the authority that did",
            file.display()
        ),
        Roots::System | Roots::Unchecked if is_foreign => {
            "its certificate was issued by nobody whom this machine trusts: let `sslrootcert` name the file with the \
             certificate of your provider's authority"
                .to_owned()
        }
        Roots::File(_) | Roots::System | Roots::Unchecked if is_other_name => format!(
            "its certificate is for another name ({wrong}): name the host as the certificate does, or check with \
             `sslmode=verify-ca` only who issued it"
        ),
        Roots::File(_) | Roots::System | Roots::Unchecked => {
            format!("its certificate is not valid ({wrong}): the server needs another one")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_pair(mode: Option<&str>, roots: Option<&str>) -> Result<(Mode, Roots), String> {
        let mut parameters = Parameters::new();
        parameters.extend(mode.map(|mode| ("sslmode", mode.to_owned())));
        parameters.extend(roots.map(|roots| ("sslrootcert", roots.to_owned())));
        read(&parameters)
    }

    #[test]
    fn the_default_prefers_encryption_and_checks_no_certificate() {
        assert_eq!(read_pair(None, None), Ok((Mode::Prefer, Roots::Unchecked)));
    }

    #[test]
    fn with_the_systems_authorities_the_name_is_checked_too() {
        assert_eq!(read_pair(None, Some("system")), Ok((Mode::VerifyFull, Roots::System)));
        for weak in ["allow", "prefer", "require", "verify-ca"] {
            let error = read_pair(Some(weak), Some("system")).unwrap_err();

            assert!(error.contains("verify-full"), "{weak}: {error}");
        }
    }

    #[test]
    fn verification_needs_an_authority() {
        for mode in ["verify-ca", "verify-full"] {
            let error = read_pair(Some(mode), None).unwrap_err();

            assert!(error.contains("sslrootcert"), "{mode}: {error}");
        }
        assert!(read_pair(Some("full"), None).unwrap_err().contains("`sslmode=full`"));
    }

    #[test]
    fn a_file_without_certificates_is_reported_with_the_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let of = |path: &Path| {
            client_config(Mode::Require, &Roots::File(path.to_owned())).map(drop).unwrap_err()
        };

        let absent = of(Path::new("/no/such/ca.pem"));
        let empty = of(file.path());
        std::fs::write(
            file.path(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let broken = of(file.path());

        assert!(
            absent.contains("`/no/such/ca.pem`") && absent.contains("No such file"),
            "{absent}"
        );
        assert!(empty.contains("BEGIN CERTIFICATE"), "{empty}");
        assert!(broken.contains(&file.path().display().to_string()), "{broken}");
    }
}
