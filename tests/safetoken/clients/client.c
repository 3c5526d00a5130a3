/* Enrols one card as a bank's C program does: stubs by gSOAP's wsdl2h and soapcpp2. Arguments: URL, token, BankId, CardPan. */
#include "soapH.h"
#include "SafeTokenBinding.nsmap"

static char *text(const char *value) { return (char *)value; }

int main(int argc, char **argv)
{
  struct soap *soap = soap_new1(SOAP_C_UTFSTRING);
  char header[4096];
  struct _ns1__AddCardHolder add = {0};
  struct _ns1__AddCardHolderResponse answer = {0};
  struct ns3__CardHolder card = {0};
  enum xsd__boolean yes = xsd__boolean__true_;

  if (argc != 5)
    return 2;
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
  if (soap_call___ns1__AddCardHolder(soap, argv[1], "AddCardHolder", &add, &answer)) {
    soap_print_fault(soap, stderr);
    return 1;
  }
  printf("%s|%s\n", answer.AddCardHolderResult->ns2__ResponseCode,
         answer.AddCardHolderResult->ns2__ResponseDescription ? answer.AddCardHolderResult->ns2__ResponseDescription : "");
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
