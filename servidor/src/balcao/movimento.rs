//! O que passa pelo balcão, contado para quem o observa (`--metricas`). Nada aqui decide coisa alguma.

use protocolo::Comando;

use crate::conexao::Fim;
use crate::metricas::Histograma;

/// As contas em pormenor.
#[derive(Debug)]
pub struct Movimento {
    /// Comandos atendidos, na ordem de [`Movimento::COMANDOS`].
    pub comandos: [u64; Movimento::COMANDOS.len()],
    /// Conexões que terminaram, na ordem de [`Fim::TODOS`].
    pub fins: [u64; Fim::TODOS.len()],
    /// AVISOs postos na saída de uma conexão.
    pub avisos: u64,
    /// Pedidos em cada lote.
    pub lotes: Histograma,
    /// Quanto cada lote esperou por um estoque que responde depois.
    pub voos: Histograma,
}

impl Movimento {
    /// As espécies de comando.
    pub const COMANDOS: [&'static str; 8] = [
        "CONSULTAR",
        "COMPRAR",
        "PEDIDO",
        "AJUDA",
        "SAIR",
        "linha longa",
        "outro protocolo",
        "desconhecido",
    ];

    pub(super) fn novo() -> Self {
        Movimento {
            comandos: [0; Movimento::COMANDOS.len()],
            fins: [0; Fim::TODOS.len()],
            avisos: 0,
            lotes: Histograma::de_lotes(),
            voos: Histograma::de_duracoes(),
        }
    }

    /// Este comando se atendeu, tantas vezes.
    pub(super) fn atendeu(&mut self, comando: &Comando, vezes: usize) {
        let especie = match comando {
            Comando::Consultar => 0,
            Comando::Comprar => 1,
            Comando::Pedido(_) => 2,
            Comando::Ajuda => 3,
            Comando::Sair => 4,
            Comando::LinhaLonga => 5,
            Comando::Http(_) | Comando::Tls => 6,
            Comando::PedidoInvalido(_) | Comando::Desconhecido(_) => 7,
        };
        self.comandos[especie] += vezes as u64;
    }

    /// Uma conexão terminou assim.
    pub(super) fn terminou(&mut self, fim: Fim) {
        self.fins[fim as usize] += 1;
    }
}
