/* The role: on <body data-role>, for styles and for other scripts, with a button to log out. The
   server decides what a role may do; here it is only shown. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  /* The log-out is a plain form: it works whatever the scripts do. */
  function addLogOut(role) {
    const form = document.createElement("form");
    form.id = "who";
    form.method = "post";
    form.action = "logout";
    const name = document.createElement("span");
    name.textContent = role;
    const button = document.createElement("button");
    button.textContent = "Log out";
    form.append(name, button);
    document.querySelector("#bar .grow").append(form);
  }

  /* Load the page again, which leads to the login page, if this tab is not logged in any more.
     Returns the role and whether there are passwords; null while the server does not answer. */
  Tickloop.checkLogin = async () => {
    const answer = await fetch("live/me").catch(() => null);
    if (answer?.status === 401) location.reload();
    Tickloop.seenHost = answer?.headers.get("X-Seen-Host");
    return answer?.ok ? answer.json() : null;
  };

  Tickloop.showRole = async function showRole() {
    const me = await Tickloop.checkLogin();
    if (!me) return setTimeout(showRole, 1000);
    document.body.dataset.role = me.role;
    if (me.password) addLogOut(me.role);
  };
})();
