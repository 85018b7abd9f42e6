/* The numbers that can be set: each field shows what is in force, and checks what is typed. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId } = Tickloop;
  const COMMA = /^[-+]?\d*,\d+$/;

  /* Why a text is no value of a field; empty if it is one. */
  const fault = (text, low, high) => {
    if (COMMA.test(text)) return `write ${text.replace(",", ".")}, with a point`;
    const number = Number(text.replace(/\s*%$/, ""));
    if (text === "" || Number.isNaN(number)) return `expected a number from ${low} to ${high}`;
    const share = number / 100;
    const percent = text.endsWith("%") || (number >= 10 && number > high);
    if (percent && share >= low && share <= high) return `${number} % is ${Number(share.toPrecision(6))}`;
    if (percent || number < low || number > high) return `expected ${low} to ${high}`;
    return "";
  };

  class Fields {
    constructor(send) {
      Object.assign(this, { send, forms: [...document.querySelectorAll("form[data-ask]")], values: {} });
      for (const form of this.forms) {
        form.noValidate = true;
        form.onsubmit = (event) => {
          event.preventDefault();
          this.submit(form);
        };
        form.elements.value.oninput = () => this.complain(form, "");
        form.elements.value.onblur = ({ relatedTarget }) => this.leave(form, relatedTarget);
      }
    }

    show(values) {
      this.values = values;
      for (const form of this.forms) this.fill(form);
    }

    /* Write what is in force, unless somebody is typing or has typed. */
    fill(form) {
      const [value, note, low, high] = this.values[form.dataset.ask] ?? ["", "", 0, 1];
      const field = form.elements.value;
      const untouched = field.value === (field.dataset.shown ?? "") || field.value === "";
      if (document.activeElement !== field && untouched) {
        field.value = field.dataset.shown = value;
      }
      field.min = low;
      field.max = high;
      form.querySelector("small").textContent = note;
    }

    /* What was refused does not stand there as if it were in force. */
    leave(form, to) {
      const field = form.elements.value;
      if (field.ariaInvalid === "true" && !form.contains(to)) {
        field.value = "";
        this.complain(form, "");
      }
      this.fill(form);
    }

    /* Show what is in force again, once a request has been answered. */
    take(name) {
      for (const form of this.forms) if (form.dataset.ask === name) this.fill(form);
    }

    submit(form) {
      const field = form.elements.value;
      if (field.ariaDisabled === "true") return this.complain(form, field.title);
      const text = field.value.trim();
      const [, , low, high] = this.values[form.dataset.ask] ?? ["", "", -Infinity, Infinity];
      const wrong = fault(text, low, high);
      this.complain(form, wrong);
      if (wrong) return field.focus();
      field.dataset.shown = field.value;
      this.send(form.dataset.ask, text);
    }

    complain(form, text) {
      form.elements.value.ariaInvalid = text ? "true" : "false";
      const label = form.querySelector("label").textContent.trim();
      byId("why-not").textContent = text ? `${label}: ${text}` : "";
    }
  }

  Tickloop.fault = fault;
  Tickloop.Fields = Fields;
})();
