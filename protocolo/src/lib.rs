//! O vocabulário comum ao servidor e ao cliente.
//!
//! - [`comando`]: os bytes de uma linha viram um [`Comando`];
//! - [`mensagem`]: uma [`Resposta`] vira bytes, e os bytes viram uma [`Mensagem`];
//! - [`seguidas`]: as respostas a um comando pedido muitas vezes seguidas;
//! - [`linhas`]: os bytes que chegam, cortados onde o TCP quis, viram linhas;
//! - [`numero`]: o estoque escrito em uma resposta vira um número, ou duas leituras dele;
//! - `terminal` (opcional, recurso `terminal`): o que os dois programas dizem a quem os executa.
//!
//! Aqui não há socket, relógio nem laço de eventos: tudo são funções de bytes, e por isso tudo se
//! testa sem rede. Seções citadas como "§3.2" são do enunciado da atividade.

pub mod comando;
pub mod linhas;
pub mod mensagem;
pub mod numero;
pub mod seguidas;
#[cfg(feature = "terminal")]
pub mod terminal;

pub use comando::{Comando, Id};
pub use linhas::{Linha, Linhas};
pub use mensagem::{Mensagem, Resposta};
pub use seguidas::Seguidas;

/// A porta TCP da atividade (§3.1).
pub const PORTA_PADRAO: u16 = 12346;

/// Unidades no estoque quando o servidor abre (§3.1).
pub const ESTOQUE_PADRAO: u64 = 10;

/// O maior tamanho de uma linha, em bytes, sem contar o fim de linha. O maior comando tem 71 letras;
/// o resto é folga para quem digita espaços demais, e um teto para quem nunca manda o fim.
pub const LINHA_MAXIMA: usize = 512;

/// O maior tamanho de uma resposta do servidor, em bytes, com o fim de linha.
pub const RESPOSTA_MAXIMA: usize = 96;
