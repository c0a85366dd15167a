// Asks once more before something is taken away.

import { explain } from "./api.js";
import { Dialog, Failure, html, useState } from "./ui.js";

/** `act` returns a promise; `done` is called when it has come true, or when nothing shall be done. */
export function Sure({ title, text, act, done }) {
  const [fault, setFault] = useState("");
  const go = () => act().then(done, (error) => setFault(explain(error)));
  return html`<${Dialog} title=${title} done=${done}><div class="form">
    <p>${text}</p>
    <${Failure} text=${fault} />
    <div class="actions"><button type="button" class="button" onClick=${done}>Keep it</button><button type="button" class="button danger" onClick=${go}>Remove</button></div>
  </div><//>`;
}
