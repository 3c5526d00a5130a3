/* Enrols one card as a bank's C program does whose messages are signed: gSOAP's wsse plugin over mutual TLS, SHA-512 in both directions.
   Arguments: URL, token, BankId, CardPan, certificate, key, both in one file, authorities (all PEM), and what to do: `sign`, `sha256`,
   `digest` (add a UsernameToken with PasswordDigest), `addressed` (sign addressing headers too), `spoil` (change our answer on its way in, which the plugin must notice). */
#include "soapH.h"
#include "SafeTokenBinding.nsmap"
#include "wsaapi.h"
#include "wsseapi.h"

static char *text(const char *value) { return (char *)value; }

static FILE *open_file(const char *path)
{
  FILE *file = fopen(path, "r");
  if (!file)
    exit(2);
  return file;
}

static size_t (*receive)(struct soap *, char *, size_t);

static size_t spoil(struct soap *soap, char *buffer, size_t size)
{
  size_t got = receive(soap, buffer, size), at;
  for (at = 0; at + 6 <= got; at++)
    if (!memcmp(buffer + at, ">90000", 6))
      buffer[at + 5] = '1';
  return got;
}

int main(int argc, char **argv)
{
  struct soap *soap;
  char header[4096];
  struct _ns1__AddCardHolder add = {0};
  struct _ns1__AddCardHolderResponse answer = {0};
  struct ns3__CardHolder card = {0};
  enum xsd__boolean yes = xsd__boolean__true_;
  X509 *certificate;
  EVP_PKEY *key;

  if (argc != 10)
    return 2;
  soap_ssl_init();
  soap = soap_new1(SOAP_C_UTFSTRING | SOAP_XML_CANONICAL);
  soap_register_plugin(soap, soap_wsse);
  certificate = PEM_read_X509(open_file(argv[5]), NULL, NULL, NULL);
  key = PEM_read_PrivateKey(open_file(argv[6]), NULL, NULL, NULL);
  if (soap_ssl_client_context(soap, SOAP_SSL_DEFAULT, argv[7], NULL, argv[8], NULL, NULL)) {
    soap_print_fault(soap, stderr);
    return 1;
  }
  snprintf(header, sizeof header, "Authorization: Bearer %s", argv[2]);
  soap->http_extra_header = header;
  card.ns2__TerminalId = text("3IWPDVNA");
  card.BankId = atoi(argv[3]);
  card.CardPan = argv[4];
  card.City = text("lag");
  card.IsApprovedAndEnabled = &yes;
  card.PrimaryMobileNumber = text("2347908516601");
  card.RegistrationChannel = 9;
  add.request = &card;
  soap_wsse_add_Timestamp(soap, "Time", 300);
  if (!strcmp(argv[9], "addressed")) {
    soap_register_plugin(soap, soap_wsa);
    soap_wsa_request(soap, soap_wsa_rand_uuid(soap), argv[1], "http://services.interswitchng.com/AddCardHolder");
    soap_wsse_set_wsu_id(soap, "wsa5:To wsa5:Action wsa5:MessageID wsa5:ReplyTo");
  }
  if (!strcmp(argv[9], "digest"))
    soap_wsse_add_UsernameTokenDigest(soap, "User", "host", "secret");
  soap_wsse_add_BinarySecurityTokenX509(soap, "X509Token", certificate);
  soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#X509Token");
  soap_wsse_sign_body(soap, strcmp(argv[9], "sha256") ? SOAP_SMD_SIGN_RSA_SHA512 : SOAP_SMD_SIGN_RSA_SHA256, key, 0);
  if (!strcmp(argv[9], "spoil")) {
    receive = soap->frecv;
    soap->frecv = spoil;
  }
  soap_wsse_verify_auto(soap, SOAP_SMD_NONE, NULL, 0);
  if (soap_call___ns1__AddCardHolder(soap, argv[1], "AddCardHolder", &add, &answer)) {
    soap_print_fault(soap, stderr);
    return 1;
  }
  if (soap_wsse_verify_Timestamp(soap) || soap_wsse_verify_body(soap)) {
    soap_print_fault(soap, stderr);
    return 3;
  }
  printf("%s|%s\n", answer.AddCardHolderResult->ns2__ResponseCode,
         answer.AddCardHolderResult->ns2__ResponseDescription ? answer.AddCardHolderResult->ns2__ResponseDescription : "");
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
