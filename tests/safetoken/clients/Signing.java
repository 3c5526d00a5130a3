import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URL;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Crypto;
import org.apache.ws.security.components.crypto.CryptoFactory;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.w3c.dom.Document;

/** Signs a SOAP message as Java banks do (WSS4J), sends it over mutual TLS, and verifies the answer.
    Arguments: URL, token, file of the message, its key store and trust store (PKCS12, password `secret`), `headers` or `body`. */
public class Signing {
    private static final String WSA = "http://www.w3.org/2005/08/addressing";
    private static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    private static final char[] PASSWORD = "secret".toCharArray();

    public static void main(String[] given) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document message = factory.newDocumentBuilder().parse(given[2]);
        sign(message, crypto(given[3], "KeyStore"), given[5].equals("body"));
        Document answer = factory.newDocumentBuilder().parse(send(message, given));
        List<WSSecurityEngineResult> results =
            new WSSecurityEngine().processSecurityHeader(answer, null, null, crypto(given[4], "TrustStore"));
        StringBuilder signed = new StringBuilder();
        for (WSSecurityEngineResult result : results) {
            List<?> parts = (List<?>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
            for (Object part : parts == null ? List.of() : parts) {
                signed.append(' ').append(((WSDataRef) part).getName().getLocalPart());
            }
        }
        System.out.println(answer.getElementsByTagNameNS("*", "ResponseCode").item(0).getTextContent() + " signed:" + signed);
    }

    private static void sign(Document message, Crypto crypto, boolean withBody) throws Exception {
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(message);
        WSSecTimestamp timestamp = new WSSecTimestamp();
        timestamp.setTimeToLive(300);
        timestamp.build(message, header);
        WSSecSignature signature = new WSSecSignature();
        signature.setUserInfo("bank", new String(PASSWORD));
        signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
        signature.setSignatureAlgorithm("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512");
        signature.setDigestAlgo("http://www.w3.org/2001/04/xmlenc#sha512");
        List<WSEncryptionPart> parts = new ArrayList<>();
        parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, ""));
        for (String local : new String[] {"Action", "To", "MessageID"}) {
            parts.add(new WSEncryptionPart(local, WSA, ""));
        }
        if (withBody) {
            parts.add(new WSEncryptionPart("Body", SOAP, ""));
        }
        signature.setParts(parts);
        signature.build(message, crypto, header);
    }

    private static InputStream send(Document message, String[] given) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(open(given[3]), PASSWORD);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(open(given[4]));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        HttpsURLConnection connection = (HttpsURLConnection) new URL(given[0]).openConnection();
        connection.setSSLSocketFactory(context.getSocketFactory());
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "text/xml; charset=utf-8");
        connection.setRequestProperty("SOAPAction", "\"AddCardHolder\"");
        connection.setRequestProperty("Authorization", "Bearer " + given[1]);
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(message), new StreamResult(written));
        connection.getOutputStream().write(written.toByteArray());
        if (connection.getResponseCode() != 200) {
            throw new IllegalStateException(new String(connection.getErrorStream().readAllBytes(), "UTF-8"));
        }
        return connection.getInputStream();
    }

    private static KeyStore open(String file) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(file)) {
            store.load(in, PASSWORD);
        }
        return store;
    }

    private static Crypto crypto(String file, String kind) throws Exception {
        String merlin = "org.apache.ws.security.crypto.merlin.";
        String prefix = merlin + (kind.equals("KeyStore") ? "keystore." : "truststore.");
        Properties properties = new Properties();
        properties.put("org.apache.ws.security.crypto.provider", "org.apache.ws.security.components.crypto.Merlin");
        properties.put(prefix + "file", file);
        properties.put(prefix + "type", "PKCS12");
        properties.put(prefix + "password", new String(PASSWORD));
        if (kind.equals("KeyStore")) {
            properties.put(prefix + "alias", "bank");
        }
        return CryptoFactory.getInstance(properties);
    }
}
