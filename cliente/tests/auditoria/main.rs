//! A auditoria por fora: uma história errada para cada regra, as quase erradas que não se acusam, um
//! contador certo com e sem defeito plantado, em um servidor ou em vários, e um oráculo que tenta todas as ordens,
//! também com reposições.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aviso;
mod contador;
mod estoque;
mod exemplos;
mod observacoes;
mod oraculo;
mod pedidos;
mod reposto;
mod servidores;
mod veredito;
