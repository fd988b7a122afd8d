//! O que muda de um sistema operacional para outro, em um lugar só: um arquivo para cada um, com as mesmas funções. O que
//! um sistema não tem volta vazio, e quem pergunta se cala ou o diz.

#[cfg_attr(unix, path = "sistema/unix.rs")]
#[cfg_attr(windows, path = "sistema/windows.rs")]
mod este;

pub use este::*;
