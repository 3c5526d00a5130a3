"""Names that the standards fixed: namespaces, addresses and algorithms."""

from __future__ import annotations

from typing import Final

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
XML: Final = "http://www.w3.org/XML/1998/namespace"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

WSA_2005: Final = "http://www.w3.org/2005/08/addressing"
WSA_2004: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"

WSRM_11: Final = "http://docs.oasis-open.org/ws-rx/wsrm/200702"
WSRM_10: Final = "http://schemas.xmlsoap.org/ws/2005/02/rm"

_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
WSU: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
BASE64: Final = f"{_WSS}soap-message-security-1.0#Base64Binary"
X509_V3: Final = f"{_WSS}x509-token-profile-1.0#X509v3"
PASSWORD_TEXT: Final = f"{_WSS}username-token-profile-1.0#PasswordText"
PASSWORD_DIGEST: Final = f"{_WSS}username-token-profile-1.0#PasswordDigest"

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA512: Final = "http://www.w3.org/2001/04/xmlenc#sha512"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA512: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA512: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
