import { useState, type SubmitEvent } from "react";

interface Props {
  disabled: boolean;
  onAdd: (title: string) => Promise<boolean>;
}

export function AddItem({ disabled, onAdd }: Props) {
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const wanted = title.trim();
    if (!wanted || busy) return;
    setBusy(true);
    // What was typed stays in the field until the backend has it.
    if (await onAdd(wanted)) setTitle("");
    setBusy(false);
  }

  return (
    <form className="card" onSubmit={(event) => void submit(event)}>
      <label htmlFor="title">New item</label>
      <div className="row">
        <input
          id="title"
          required
          maxLength={200}
          autoComplete="off"
          placeholder="Paint the hull"
          value={title}
          onChange={(event) => { setTitle(event.target.value); }}
        />
        <button type="submit" disabled={disabled || busy}>
          Add
        </button>
      </div>
    </form>
  );
}
