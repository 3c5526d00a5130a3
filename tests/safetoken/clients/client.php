<?php
// Enrols one card as a bank's PHP program does. Arguments: URL of the WSDL, token, BankId, CardPan.
[, $wsdl, $token, $bank, $pan] = $argv;
$context = stream_context_create(['http' => ['header' => "Authorization: Bearer $token"]]);
$client = new SoapClient($wsdl, ['stream_context' => $context, 'cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true]);
$answer = $client->AddCardHolder(['request' => [
    'TerminalId' => '3IWPDVNA', 'BankId' => (int) $bank, 'CardPan' => $pan, 'City' => 'lag', 'IsApprovedAndEnabled' => true,
    'PrimaryMobileNumber' => '2347908516601', 'RegistrationChannel' => 9,
]])->AddCardHolderResult;
echo $answer->ResponseCode, '|', $answer->ResponseDescription ?? '', "\n";
