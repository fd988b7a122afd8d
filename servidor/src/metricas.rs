//! As métricas (`--metricas`): o que o servidor conta e mede, para um Prometheus ler.
//!
//! ```text
//!   metricas.rs   os números: o que se mede aqui, e o que os outros contam
//!     medido.rs   um estoque igual ao de dentro, que anota quanto ele demora
//!     texto.rs    os números no formato do Prometheus
//!     conversa.rs o pouco de HTTP que basta para os entregar
//! ```
//!
//! Não conhece o turno nem o mio: o [reator](crate::reator) mede o turno e atende a porta. Sem `--metricas`, nada
//! daqui existe, e ninguém olha o relógio por causa dela.

mod conversa;
mod medido;
mod texto;

use std::time::{Duration, Instant};

pub(crate) use conversa::{Conversa, Pedido};
pub(crate) use medido::Medido;
pub(crate) use texto::escrever;

use crate::balcao::{Contas, Limites, Movimento};
use crate::loja::Loja;

/// Quantos limites tem um histograma de durações: de 16 µs a 8 s, cada um o dobro do anterior.
const DURACOES: usize = 20;
const MENOR_DURACAO: u64 = 16_000;

/// E um de pedidos por turno: de 1 a 8.192.
const LOTES: usize = 14;

/// Quantas vezes se viu um valor, por faixas: os limites são fixos, cada um o dobro do anterior.
#[derive(Debug, Clone, Copy)]
pub struct Histograma<const N: usize> {
    menor: u64,
    /// Quantos valores couberam em cada limite e não no anterior.
    faixas: [u64; N],
    quantos: u64,
    soma: u64,
}

impl<const N: usize> Histograma<N> {
    /// Vazio; o primeiro limite é `menor`.
    pub fn novo(menor: u64) -> Self {
        Histograma { menor, faixas: [0; N], quantos: 0, soma: 0 }
    }

    /// Viu-se este valor.
    pub fn anotar(&mut self, valor: u64) {
        let faixa = (0..N).find(|faixa| valor <= self.menor << faixa);
        // O que passa do último limite só conta no total.
        if let Some(faixa) = faixa {
            self.faixas[faixa] += 1;
        }
        self.quantos += 1;
        self.soma = self.soma.saturating_add(valor);
    }

    /// Passou este tempo, que se guarda em nanossegundos.
    pub fn anotar_duracao(&mut self, passou: Duration) {
        self.anotar(u64::try_from(passou.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Quantos valores não passam de cada limite.
    fn acumulado(&self) -> impl Iterator<Item = (u64, u64)> {
        self.faixas.iter().enumerate().scan(0, |ate_aqui, (faixa, quantos)| {
            *ate_aqui += quantos;
            Some((self.menor << faixa, *ate_aqui))
        })
    }
}

/// Como acabou uma proposta a um estoque partilhado.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Desfecho {
    Firme,
    NaoValeu,
    Perdido,
    Repetidos,
}

impl Desfecho {
    const TODOS: [(Desfecho, &'static str); 4] = [
        (Desfecho::Firme, "firme"),
        (Desfecho::NaoValeu, "nao valeu"),
        (Desfecho::Perdido, "sem desfecho"),
        (Desfecho::Repetidos, "repetidos"),
    ];
}

/// O que só se mede com `--metricas`.
#[derive(Debug)]
pub struct Medidas {
    /// Quanto cada turno durou.
    pub turnos: Histograma<DURACOES>,
    /// Quantos pedidos se atenderam em cada turno em que houve algum.
    pub lotes: Histograma<LOTES>,
    /// Quanto o livro demorou a firmar cada lote.
    firmados: Histograma<DURACOES>,
    /// Quanto o estoque partilhado demorou a responder a cada proposta, e como.
    propostas: Histograma<DURACOES>,
    desfechos: [u64; Desfecho::TODOS.len()],
    /// Desde quando se espera a resposta a uma proposta.
    proposta_em: Option<Instant>,
    /// O estoque partilhado responde, e aceita vendas.
    ao_alcance: bool,
}

impl Default for Medidas {
    fn default() -> Self {
        Medidas {
            turnos: Histograma::novo(MENOR_DURACAO),
            lotes: Histograma::novo(1),
            firmados: Histograma::novo(MENOR_DURACAO),
            propostas: Histograma::novo(MENOR_DURACAO),
            desfechos: [0; Desfecho::TODOS.len()],
            proposta_em: None,
            ao_alcance: true,
        }
    }
}

impl Medidas {
    fn acabou_a_proposta(&mut self, desfecho: Desfecho) {
        if let Some(desde) = self.proposta_em.take() {
            self.propostas.anotar_duracao(desde.elapsed());
            self.desfechos[desfecho as usize] += 1;
        }
    }
}

/// Quem guarda o estoque, para se saber que números há.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guardado {
    /// Ninguém.
    Memoria,
    /// Um livro.
    Livro,
    /// Um etcd.
    Partilhado,
}

/// Tudo o que se mostra, em um instante.
#[derive(Debug)]
pub struct Numeros<'a> {
    /// O que passou pelo balcão.
    pub contas: Contas,
    /// De que tipo, e como acabou.
    pub movimento: &'a Movimento,
    /// Conexões atendidas agora.
    pub ativas: usize,
    /// Bytes que as conexões guardam.
    pub guardados: usize,
    /// O que o operador limitou.
    pub limites: Limites,
    /// O estoque, e o que se fez com ele.
    pub loja: &'a Loja,
    /// Linhas de registro que não chegaram ao destino.
    pub linhas_perdidas: u64,
    /// Quem guarda o estoque.
    pub guardado: Guardado,
    /// O que se mediu.
    pub medidas: &'a Medidas,
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn cada_valor_cai_no_primeiro_limite_em_que_cabe_e_o_que_passa_do_ultimo_so_conta_no_total() {
        let mut histograma = Histograma::<4>::novo(1);
        for valor in [1, 2, 3, 4, 8, 9] {
            histograma.anotar(valor);
        }
        let limites: Vec<_> = histograma.acumulado().collect();
        assert_eq!(limites, [(1, 1), (2, 2), (4, 4), (8, 5)]);
        assert_eq!((histograma.quantos, histograma.soma), (6, 27));
    }

    #[test]
    fn cada_desfecho_esta_no_seu_lugar() {
        for (lugar, (desfecho, _)) in Desfecho::TODOS.iter().enumerate() {
            assert_eq!(*desfecho as usize, lugar);
        }
    }
}
