// The secret travels behind the link's "#", so no server, log or Referer sees it.
const secret = window.location.hash.slice(1);
if (secret) {
  window.history.replaceState(null, "", window.location.pathname);
  document.getElementById("secret").value = secret;
}
