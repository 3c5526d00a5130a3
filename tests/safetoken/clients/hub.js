// Asks an issuer's service as a hub's node program does. Arguments: WSDL file, URL, certificate, key, authority (PEM), CardPan, Otp.
const fs = require("fs");
const soap = require("soap");

async function main([wsdl, url, certificate, key, authority, pan, otp]) {
  const client = await soap.createClientAsync(wsdl, {}, url);
  const [cert, secret, ca] = [certificate, key, authority].map((path) => fs.readFileSync(path));
  client.setSecurity(new soap.ClientSSLSecurity(secret, cert, ca, {}));
  const [card] = await client.ValidateCardAsync({ RequestDetails: { CardPan: pan } });
  const [verdict] = await client.AuthenticateOTPAsync({ RequestDetails: { UserId: pan, Otp: otp } });
  const found = card.Response;
  console.log(`${found.ResponseCode}|${found.TokenType}|${found.AdditionalInfo}|${verdict.Response.ResponseCode}`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
