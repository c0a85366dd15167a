// What is on a page that text from outside must not have put there. `own`: selectors of what the page has itself.

(own) => {
  const FOREIGN = ["iframe", "object", "embed", "base", "style", "math", "video", "audio", "template", "marquee", "form[action]"];
  const LOADED = ['meta[http-equiv]', 'img:not([src="/static/mark.svg"])', 'script:not([src^="/static/"])', 'link:not([href^="/static/"])'];
  const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
  const found = (selector) => [...document.querySelectorAll(selector)];
  const short = (text) => text.slice(0, 200);
  const isCode = ({ name, value }) => /^on/i.test(name) || (/^(href|src|action|srcdoc)$/.test(name) && /^\s*(javascript|data|vbscript):/i.test(value));
  const isAway = ({ protocol, origin }) => protocol !== "file:" && origin !== location.origin;
  return {
    elements: found([...FOREIGN, ...LOADED].join()).filter((each) => !own.some((selector) => each.matches(selector))).map(({ outerHTML }) => short(outerHTML)),
    code: found("*").flatMap(({ attributes }) => [...attributes].filter(isCode).map(({ name, value }) => short(`${name}=${value}`))),
    links: [...document.links].filter(isAway).map(({ href }) => short(href)),
    faults: found(".failed").filter((each) => each.checkVisibility()).map(({ textContent }) => short(textContent)),
    ran: window.ran ?? null,
    wide: Math.max(0, document.scrollingElement.scrollWidth - innerWidth),
    controls: (document.title + document.body.innerText).match(CONTROL) ?? [],
  };
}
