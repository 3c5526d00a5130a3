<?php
// Asks an issuer's service as a hub's PHP program does. Arguments: WSDL file, URL, certificate and key in one file, authority, CardPan, Otp.
[, $wsdl, $url, $identity, $authority, $pan, $otp] = $argv;
$context = stream_context_create(['ssl' => ['cafile' => $authority, 'local_cert' => $identity, 'verify_peer' => true]]);
$options = ['stream_context' => $context, 'cache_wsdl' => WSDL_CACHE_NONE, 'location' => $url, 'exceptions' => true];
$client = new SoapClient($wsdl, $options);
$card = $client->ValidateCard(['RequestDetails' => ['CardPan' => $pan]])->Response;
$verdict = $client->AuthenticateOTP(['RequestDetails' => ['UserId' => $pan, 'Otp' => $otp]])->Response;
echo implode('|', [$card->ResponseCode, $card->TokenType, $card->AdditionalInfo, $verdict->ResponseCode]), "\n";
