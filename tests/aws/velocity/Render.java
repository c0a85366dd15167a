import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

/**
 * Renders a template for each request by Apache Velocity itself, with the objects that API Gateway gives to one.
 *
 * A request is lines "name key value" (texts in base64 of UTF-16, name one of context identity query header) and an
 * empty line. For each a line comes back: what was rendered, in base64 of UTF-8.
 */
public class Render {
  public static class Util {
    public String base64Encode(String text) {
      return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    public String base64Decode(String text) {
      return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }

    public String urlEncode(String text) {
      return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    public String urlDecode(String text) {
      return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    public String escapeJavaScript(String text) {
      return StringEscapeUtils.escapeJavaScript(text);
    }
  }

  public static class Input {
    private final Map<String, Map<String, String>> params;

    Input(Map<String, Map<String, String>> params) {
      this.params = params;
    }

    public Map<String, Map<String, String>> params() {
      return params;
    }

    public String params(String name) {
      for (String place : new String[] {"path", "querystring", "header"}) {
        if (params.get(place).containsKey(name)) {
          return params.get(place).get(name);
        }
      }
      return "";
    }

    public String getBody() {
      return "";
    }
  }

  /** UTF-16 as it stands: the decoder of Java would replace a lone surrogate. */
  private static String verbatim(String encoded) {
    byte[] bytes = Base64.getDecoder().decode(encoded);
    char[] letters = new char[bytes.length / 2];
    for (int at = 0; at < letters.length; at++) {
      letters[at] = (char) ((bytes[2 * at] & 0xff) << 8 | bytes[2 * at + 1] & 0xff);
    }
    return new String(letters);
  }

  private static String rendered(VelocityEngine engine, String template, Map<String, Map<String, String>> given) {
    Map<String, Map<String, String>> params = new LinkedHashMap<>();
    params.put("path", new LinkedHashMap<>());
    params.put("querystring", given.get("query"));
    params.put("header", given.get("header"));
    Map<String, Object> context = new LinkedHashMap<>(given.get("context"));
    context.computeIfPresent("requestTimeEpoch", (name, value) -> Long.valueOf((String) value));
    context.put("identity", given.get("identity"));
    VelocityContext names = new VelocityContext();
    names.put("input", new Input(params));
    names.put("util", new Util());
    names.put("context", context);
    StringWriter written = new StringWriter();
    engine.evaluate(names, written, "template", template);
    return written.toString();
  }

  private static Map<String, Map<String, String>> empty() {
    Map<String, Map<String, String>> given = new LinkedHashMap<>();
    for (String name : new String[] {"context", "identity", "query", "header"}) {
      given.put(name, new LinkedHashMap<>());
    }
    return given;
  }

  public static void main(String[] arguments) throws Exception {
    String template = Files.readString(Path.of(arguments[0]));
    VelocityEngine engine = new VelocityEngine();
    engine.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
    engine.init();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    Map<String, Map<String, String>> given = empty();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.isEmpty()) {
        String done = rendered(engine, template, given);
        System.out.println(Base64.getEncoder().encodeToString(done.getBytes(StandardCharsets.UTF_8)));
        given = empty();
      } else {
        String[] parts = line.split(" ", -1);
        given.get(parts[0]).put(verbatim(parts[1]), verbatim(parts[2]));
      }
    }
  }
}
