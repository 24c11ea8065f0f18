// Comfort only: every page works without it.

// A sign-in secret travels behind the link's "#", so no server, log or Referer sees it.
for (const form of document.querySelectorAll("form[data-fragment]")) {
  const secret = window.location.hash.slice(1);
  if (secret) {
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    form.elements[form.dataset.fragment].value = secret;
    form.closest("details").open = true;
    document.body.dataset.link = "given";  // nothing else on the page is needed
    form.querySelector("button").focus();
  }
}

// A second click on a button does not send its form again.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
  }
});

// What would come of a form is shown as it is filled; its button does the same without a script.
for (const form of document.querySelectorAll("form[data-preview]")) {
  form.addEventListener("change", async () => {
    const typed = new URLSearchParams(new FormData(form));
    typed.set("preview", "yes");
    const answer = await fetch(form.action, { method: "POST", body: typed });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("preview");
    if (fresh) {
      form.querySelector("#preview").replaceWith(fresh);
    }
  });
}

// Copy buttons: shown here, because without a script they could do nothing.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const label = button.firstChild;
    const said = label.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      label.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(source);
      label.textContent = "Selected";
    }
    window.setTimeout(() => { label.textContent = said; }, 2000);
  });
}

// What was wrong with a form is where reading goes on.
document.querySelector("[data-errors]")?.focus();

// Menus close by Escape and by a click beside them.
for (const menu of document.querySelectorAll("details.account")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  });
}
