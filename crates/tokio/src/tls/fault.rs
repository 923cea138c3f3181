//! What the TLS library says of a failed handshake becomes a transport's error that says what to do about it.
//!
//! *Invariant:* a certificate that is not believed, on either side, is a refusal and no lost link; who does not speak TLS is told apart from both.
//! *Next:* `client.rs`, `server.rs`, `../stream/opener.rs`.

use std::io;
use std::sync::Arc;

use coachwork_transport::TransportError;
use rustls::{AlertDescription, CertificateError, Error};

/// What went wrong in a handshake with `peer`.
pub(crate) fn in_handshake(peer: &Arc<str>, error: io::Error) -> TransportError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let what = "it ended the link in the handshake: perhaps it does not speak TLS";
        return TransportError::io(peer.clone(), io::Error::new(error.kind(), what));
    }
    explained(TransportError::io(peer.clone(), error))
}

/// The same of an error that came with the first messages.
pub(crate) fn explained(error: TransportError) -> TransportError {
    let TransportError::Io { peer, source } = &error else { return error };
    let Some(fault) = source.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error };
    let peer = peer.clone();
    match fault {
        Error::InvalidCertificate(why) => TransportError::Refused { peer, what: disbelieved(why) },
        Error::NoCertificatesPresented => {
            TransportError::Refused { peer, what: "it shows no certificate, and must".to_owned() }
        }
        Error::AlertReceived(alert) => TransportError::Refused { peer, what: alerted(*alert) },
        Error::PeerIncompatible(why) => {
            TransportError::Refused { peer, what: format!("it speaks no TLS that is spoken here: {why:?}") }
        }
        Error::InvalidMessage(_) => {
            TransportError::Malformed { peer, what: "it does not speak TLS".to_owned() }
        }
        _ => error,
    }
}

fn disbelieved(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name than the one that was asked for".to_owned()
        }
        // A root of the same name with another key makes it a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate goes back to none of the roots that are believed".to_owned()
        }
        other => format!("its certificate is not believed: {other}"),
    }
}

fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired | A::NoCertificate => "it wants to be shown a certificate".to_owned(),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError => format!("it does not believe the certificate that it was shown: {alert:?}"),
        other => format!("it refuses the link: {other:?}"),
    }
}
