// Enrols one card as a bank's Java program does: stubs by wsimport. Arguments: URL of the WSDL, token, BankId, CardPan.
import generated.CardHolder;
import generated.CardHolderResponse;
import generated.SafeToken;
import generated.SafeTokenService;
import java.net.URL;
import java.util.List;
import java.util.Map;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.handler.MessageContext;

public class Client {
    public static void main(String[] args) throws Exception {
        SafeToken port = new SafeTokenService(new URL(args[0])).getSafeTokenPort();
        ((BindingProvider) port).getRequestContext()
            .put(MessageContext.HTTP_REQUEST_HEADERS, Map.of("Authorization", List.of("Bearer " + args[1])));
        CardHolder card = new CardHolder();
        card.setTerminalId("3IWPDVNA");
        card.setBankId(Integer.parseInt(args[2]));
        card.setCardPan(args[3]);
        card.setCity("lag");
        card.setIsApprovedAndEnabled(true);
        card.setPrimaryMobileNumber("2347908516601");
        card.setRegistrationChannel(9);
        CardHolderResponse answer = port.addCardHolder(card);
        String said = answer.getResponseDescription() == null ? "" : (String) (Object) text(answer.getResponseDescription());
        System.out.println(text(answer.getResponseCode()) + "|" + said);
    }

    private static String text(Object value) {
        return value instanceof javax.xml.bind.JAXBElement<?> element ? String.valueOf(element.isNil() ? "" : element.getValue())
            : String.valueOf(value);
    }
}
