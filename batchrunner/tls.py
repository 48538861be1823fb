"""Whom to believe: every connection is verified, and there is no way to switch that off."""

import ssl

from .errors import ConfigError


def make_context(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, with certificate and host name verified.

    Certificates of ``ca_file`` are trusted besides those of the system. Unlike the standard
    library's default context, this one writes no session keys where ``SSLKEYLOGFILE`` says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file is not None:
        add_certificates(context, ca_file)
    return context


def check_ca_file(ca_file: str) -> None:
    """ConfigError where ``ca_file`` holds no certificates."""
    add_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca_file)


def add_certificates(context: ssl.SSLContext, ca_file: str) -> None:
    """Trust those of ``ca_file`` too."""
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"{ca_file} holds no certificates: --ca-file takes a file in PEM format"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{ca_file} cannot be read: {error.strerror}; give another file with --ca-file"
        ) from None
