// Logging in, and a link's password: the form is sent as JSON, so that what is wrong is said without loading the page anew.

const form = document.querySelector("form");
const fault = document.getElementById("fault");
const isLogin = form.elements.namedItem("user") !== null;

if (isLogin) form.elements.namedItem("next").value = new URLSearchParams(location.search).get("next") ?? "/";

function say(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

function sentence({ error, hint }) {
  const text = [error, hint].filter(Boolean).join(". ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

async function enter() {
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const headers = { "Accept": "application/json", "Content-Type": "application/json" };
  const answer = await fetch(isLogin ? "/api/v1/login" : location.pathname, { method: "POST", headers, body });
  const told = await answer.json();
  if (!answer.ok) return say(sentence(told));
  // without the fragment of an earlier try, which alone would load nothing
  if (isLogin) return location.replace(told.next);
  history.replaceState(null, "", told.next);
  location.reload();
}

form.addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    await enter();
  } catch {
    say("The dashboard's server does not answer.");
  } finally {
    button.disabled = false;
    if (!fault.hidden) form.elements.namedItem("password").select();
  }
});
