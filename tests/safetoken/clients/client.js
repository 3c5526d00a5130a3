// Enrols one card as a bank's node program does. Arguments: URL of the WSDL, token, BankId, CardPan.
const soap = require("soap");

async function main([wsdl, token, bank, pan]) {
  const client = await soap.createClientAsync(wsdl);
  client.setSecurity(new soap.BearerSecurity(token));
  const [{ AddCardHolderResult: answer }] = await client.AddCardHolderAsync({
    request: {
      TerminalId: "3IWPDVNA", BankId: Number(bank), CardPan: pan, City: "lag", IsApprovedAndEnabled: true,
      PrimaryMobileNumber: "2347908516601", RegistrationChannel: 9,
    },
  });
  const described = typeof answer.ResponseDescription === "string" ? answer.ResponseDescription : "";
  console.log(`${answer.ResponseCode}|${described}`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
