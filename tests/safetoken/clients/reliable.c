/* Sends messages in a sequence of WS-ReliableMessaging as a bank's C program does: gSOAP's wsrm plugin, over a line that loses things.
   Arguments: URL, token, BankId, CardPan, how many messages, and how: `retry` (one that fails is sent again before the next) or `burst`
   (all are sent once, and what is missing is sent again at the end). Prints for each message its number and the answer's code, or
   `lost` (the plugin reads no answer to what it sends again), and at the end how many are not acknowledged. */
#include "soapH.h"
#include "SafeTokenBinding.nsmap"
#include "wsaapi.h"
#include "wsrmapi.h"

#define ACTION "http://services.interswitchng.com/AddCardHolder"
#define TRIES 40

static char *text(const char *value) { return (char *)value; }

static void rest(void) { struct timespec pause = {0, 200000000}; nanosleep(&pause, NULL); }

/* Send again what is not acknowledged, in order, until all of it was answered. The plugin leaves HTTP off when it fails. */
static void resend(struct soap *soap, soap_wsrm_sequence_handle seq, int from, int to)
{
  int tries;
  for (tries = 0; tries < TRIES && soap_wsrm_resend(soap, seq, from, to); tries++) {
    soap_closesock(soap);
    soap->omode &= ~SOAP_ENC_PLAIN;
    rest();
  }
}

static int unacknowledged(soap_wsrm_sequence_handle seq)
{
  struct soap_wsrm_message *message;
  int count = 0;
  for (message = seq->messages; message; message = message->next)
    count += message->state != SOAP_WSRM_ACK;
  return count;
}

int main(int argc, char **argv)
{
  struct soap *soap;
  char header[4096];
  soap_wsrm_sequence_handle seq;
  enum xsd__boolean yes = xsd__boolean__true_;
  int count, number, tries, is_burst, rc = 0;

  if (argc != 7)
    return 2;
  count = atoi(argv[5]);
  is_burst = !strcmp(argv[6], "burst");
  soap = soap_new1(SOAP_C_UTFSTRING);
  soap->connect_timeout = soap->recv_timeout = soap->send_timeout = 20;
  soap_register_plugin(soap, soap_wsa);
  soap_register_plugin(soap, soap_wsrm);
  snprintf(header, sizeof header, "Authorization: Bearer %s", argv[2]);
  soap->http_extra_header = header;
  for (tries = 0; soap_wsrm_create_offer(soap, argv[1], NULL, NULL, 600000, NoDiscard, NULL, &seq); tries++) {
    soap_print_fault(soap, stderr);
    soap_wsrm_seq_free(soap, seq);
    if (tries == TRIES)
      return 1;
    rest();
    soap->http_extra_header = header;
  }
  for (number = 1; number <= count; number++) {
    struct _ns1__AddCardHolder add = {0};
    struct _ns1__AddCardHolderResponse answer = {0};
    struct ns3__CardHolder card = {0};
    int reason = number;
    card.ns2__TerminalId = text("3IWPDVNA");
    card.BankId = atoi(argv[3]);
    card.CardPan = argv[4];
    card.City = text("lag");
    card.PrimaryMobileNumber = text("2347908516601");
    card.RegistrationChannel = 9;
    card.IsFailure = &yes;
    card.FailureReason = &reason;
    add.request = &card;
    if (soap_wsrm_request_acks(soap, seq, soap_wsa_rand_uuid(soap), ACTION))
      return 1;
    soap->http_extra_header = header;
    rc = soap_call___ns1__AddCardHolder(soap, soap_wsrm_to(seq), ACTION, &add, &answer);
    if (rc && !is_burst)
      resend(soap, seq, number, number);
    if (!rc && answer.AddCardHolderResult)
      printf("%d|%s\n", number, answer.AddCardHolderResult->ns2__ResponseCode);
    else
      printf("%d|lost\n", number);
  }
  if (is_burst)
    resend(soap, seq, 0, 0);
  for (tries = 0; tries < TRIES; tries++) {
    soap->http_extra_header = header;
    if (!soap_wsrm_close(soap, seq, NULL))
      break;
    rest();
  }
  printf("unacknowledged|%d\n", unacknowledged(seq));
  soap->http_extra_header = header;
  if (soap_wsrm_terminate(soap, seq, NULL))
    soap_print_fault(soap, stderr);
  soap_wsrm_seq_free(soap, seq);
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
