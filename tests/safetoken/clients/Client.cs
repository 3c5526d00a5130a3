// Enrols one card as a bank's .NET program does: a WCF client by svcutil. Arguments: URL, token, BankId, CardPan.
using System;
using System.ServiceModel;
using System.ServiceModel.Channels;

public static class Client
{
    public static int Main(string[] args)
    {
        var proxy = new SafeTokenClient(new BasicHttpBinding(), new EndpointAddress(args[0]));
        using (new OperationContextScope(proxy.InnerChannel))
        {
            var http = new HttpRequestMessageProperty();
            http.Headers["Authorization"] = "Bearer " + args[1];
            OperationContext.Current.OutgoingMessageProperties[HttpRequestMessageProperty.Name] = http;
            var answer = proxy.AddCardHolder(new techquest.interswitchng.com.CardHolder
            {
                TerminalId = "3IWPDVNA", BankId = int.Parse(args[2]), CardPan = args[3], City = "lag", IsApprovedAndEnabled = true,
                PrimaryMobileNumber = "2347908516601", RegistrationChannel = 9,
            });
            Console.WriteLine(answer.ResponseCode + "|" + answer.ResponseDescription);
        }
        return 0;
    }
}
