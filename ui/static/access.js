/* Who you are here: the role on <body data-role>, for styles and for other scripts, and the way
   out. What a role may do is decided by the server; here it is only shown. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  /* The log-out is a plain form: it works whatever the scripts do. */
  function showRole(role) {
    const form = document.createElement("form");
    form.id = "who";
    form.method = "post";
    form.action = "/logout";
    const name = document.createElement("span");
    name.textContent = role;
    const button = document.createElement("button");
    button.textContent = "Log out";
    form.append(name, button);
    document.querySelector("#bar .grow").append(form);
  }

  /* A lost connection may mean that this tab is not logged in any more (a page that restarts does
     not answer at all). Loading it again leads to the login page. */
  async function checkLogin() {
    const answer = await fetch("/live/me").catch(() => null);
    if (answer?.status === 401) location.reload();
    return answer?.ok ? answer.json() : null;
  }

  Tickloop.followRole = async function followRole() {
    const me = await checkLogin();
    if (!me) return setTimeout(followRole, 1000);
    document.body.dataset.role = me.role;
    if (me.password) showRole(me.role);
    const stale = () => document.body.classList.contains("tl-stale") && checkLogin();
    new MutationObserver(stale).observe(document.body, { attributeFilter: ["class"] });
  };

  Tickloop.isOperator = () => document.body.dataset.role === "operator";
})();
