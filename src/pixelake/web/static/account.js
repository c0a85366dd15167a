// One's own log-in; and for owners who else may look: users, shared links, tokens.

import { explain, get, send } from "./api.js";
import { Shares } from "./accountshares.js";
import { Tokens } from "./accounttokens.js";
import { Users } from "./accountusers.js";
import { useList } from "./accountlist.js";
import { dayTime } from "./format.js";
import { mount } from "./shell.js";
import { Failure, html, speak, useState } from "./ui.js";

const ROLES = { owner: "an owner: you see and change everything", viewer: "a viewer: you look, and change nothing" };

function Password() {
  const [fault, setFault] = useState("");
  const change = async (submit) => {
    submit.preventDefault();
    const form = submit.currentTarget;
    try {
      await send("POST", "password", Object.fromEntries(new FormData(form)));
      speak("The password is changed");
      location.reload(); // the session is a new one
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<form class="form" onSubmit=${change}>
    <h3>Change the password</h3>
    <p class="quiet">Everywhere else you are logged out by it.</p>
    <${Failure} text=${fault} />
    <label>Now <input name="current" type="password" autocomplete="current-password" maxlength="1000" required /></label>
    <label>New, 10 characters or more <input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="1000" required /></label>
    <div class="rows"><button class="button primary">Change it</button></div>
  </form>`;
}

function Sessions() {
  const { rows, fault, remove } = useList("sessions");
  const leave = () => send("POST", "logout-everywhere").then(() => location.assign("/login"), () => location.assign("/login"));
  return html`<section class="card" aria-labelledby="sessions">
    <div class="card-head"><h2 id="sessions">Where you are logged in</h2><button type="button" class="button danger" onClick=${leave}>Log out everywhere</button></div>
    <${Failure} text=${fault} />
    <div class="scroll"><table class="table">
      <thead><tr><th scope="col">Since</th><th scope="col">Last used</th><th scope="col"><span class="spoken">End it</span></th></tr></thead>
      <tbody>${rows?.map((each) => html`<tr key=${each.id}>
        <td>${dayTime(each.created / 1000)}</td>
        <td>${each.this ? "now, in this browser" : dayTime(each.used / 1000)}</td>
        <td class="ends">${!each.this && html`<button type="button" class="link" onClick=${() => remove(each.id)}>Log out</button>`}</td>
      </tr>`)}</tbody>
    </table></div>
  </section>`;
}

function Main({ me }) {
  const sites = me.sites ? `You see ${me.sites.join(", ")}.` : "You see all sites.";
  return html`<h1>Account</h1>
    <section class="card" aria-labelledby="you">
      <div class="card-head"><h2 id="you">${me.has_password ? me.name : "The access token"}</h2></div>
      <p class="lead quiet">You are ${ROLES[me.role]}. ${sites} ${!me.has_password && "You came by the address that the server prints; whoever has it is an owner. Make users below, so that each has a name and a password."}</p>
      ${me.has_password && html`<${Password} />`}
    </section>
    <${Sessions} />
    ${me.role === "owner" && html`<${Users} me=${me} /><${Shares} /><${Tokens} />`}`;
}

mount({ page: "account", title: "Account", main: Main, picks: false });
