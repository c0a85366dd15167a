// Before any script of a page: tells on the console what breaks the policy, and what opens a window or a dialog.

addEventListener("securitypolicyviolation", (broken) => console.error("policy", broken.violatedDirective, broken.blockedURI));
for (const name of ["alert", "prompt", "confirm", "open"]) window[name] = (...given) => console.error("called", name, ...given);
