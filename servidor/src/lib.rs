//! O servidor de vendas da atividade: um laço de eventos, uma thread, um estoque.
//!
//! ```text
//!   main ─► opcoes            o que o operador pediu
//!     │
//!     ├──► porta              onde se escuta, por IPv4 e por IPv6
//!     └──► reator             espera eventos, aceita conexões, ouve sinais (só ele conhece o mio)
//!             │
//!             ├──► reposicao  quem repõe com o servidor aberto, por um socket ao lado do livro
//!             ├──► metricas   com --metricas: o que se conta e mede, por uma porta à parte
//!             ├──► balcao     o turno: ler, decidir, firmar, responder, vigiar, remover
//!             │      ├──► conexao    um cliente: linhas que chegam, respostas que saem
//!             │      ├──► loja       o estoque e os pedidos numerados; pura
//!             │      └──► registro   o console, em outra thread, sem nunca parar o laço
//!             └──► livro      com --livro: as vendas de cada turno, firmes em um arquivo
//!   main ─► extrato ─► livro  o que há em um livro, para ler
//! ```
//!
//! # O que nunca muda
//!
//! - Vendido nunca passa do estoque inicial; cada venda confirmada tem o seu próprio "restante", e
//!   eles são contíguos.
//! - Por conexão: tantas respostas quantos pedidos completos, na ordem, enquanto ela viver.
//! - O AVISO sai exatamente uma vez por esgotamento para cada conexão presente quando a última
//!   unidade é vendida: depois da resposta do comprador, no mesmo turno.
//! - Todo limite vale: linha, saída, conexões, lote, fila do registro.
//! - Nenhum cliente termina o laço, o atrasa ou escreve bytes crus no terminal do operador.
//!
//! # O que de propósito não existe
//!
//! Não há `Arc`, `Mutex` nem thread entre o socket e o estoque: `&mut Loja` é a exclusão mútua. Não
//! há trait de rede inventado: [`balcao::Balcao`] é genérico sobre `Read + Write`, e por isso o
//! mesmo código roda em um teste sem socket. E o servidor não sabe que o cliente existe.
//!
#![doc = include_str!("../PROMESSAS.md")]

pub mod balcao;
pub mod conexao;
pub mod estoque;
pub mod extrato;
pub mod livro;
pub mod loja;
pub mod metricas;
pub mod opcoes;
pub mod partilhado;
pub mod pedidos;
pub mod porta;
pub mod reator;
pub mod registro;
pub mod reposicao;
pub mod saidas;
pub mod sistema;
