/* Asks an issuer's service as a hub's C program does: gSOAP over mutual TLS.
   Arguments: URL, certificate and key in one file, authorities (both PEM), CardPan, Otp. */
#include "soapH.h"
#include "IssuerServiceBinding.nsmap"

int main(int argc, char **argv)
{
  struct soap *soap;
  struct _ns1__ValidateCard validate = {0};
  struct _ns1__ValidateCardResponse card = {0};
  struct _ns1__AuthenticateOTP authenticate = {0};
  struct _ns1__AuthenticateOTPResponse verdict = {0};
  struct ns1__CardQuestion about = {0};
  struct ns1__OtpQuestion typed = {0};

  if (argc != 6)
    return 2;
  soap_ssl_init();
  soap = soap_new1(SOAP_C_UTFSTRING);
  about.CardPan = argv[4];
  typed.UserId = argv[4];
  typed.Otp = argv[5];
  validate.RequestDetails = &about;
  authenticate.RequestDetails = &typed;
  if (soap_ssl_client_context(soap, SOAP_SSL_DEFAULT, argv[2], NULL, argv[3], NULL, NULL)
      || soap_call___ns1__ValidateCard(soap, argv[1], "ValidateCard", &validate, &card)
      || soap_call___ns1__AuthenticateOTP(soap, argv[1], "AuthenticateOTP", &authenticate, &verdict)) {
    soap_print_fault(soap, stderr);
    return 1;
  }
  printf("%s|%s|%s|%s\n", card.Response->ResponseCode, card.Response->TokenType, card.Response->AdditionalInfo,
         verdict.Response->ResponseCode);
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
