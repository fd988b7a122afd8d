//! O que muda de um sistema operacional para outro, em um lugar só: um arquivo para cada um, com as mesmas funções. O
//! laço, a loja, o protocolo e o livro não sabem em que sistema estão.

#[cfg_attr(unix, path = "sistema/unix.rs")]
#[cfg_attr(windows, path = "sistema/windows.rs")]
mod este;

pub use este::*;
