//! Os números do servidor para quem os observa: contas, histogramas, e o formato de texto do Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>, versão 0.0.4).
//!
//! Pura: não conhece socket nem relógio. Quem conta é o balcão, o livro e o reator, sempre; quem serve isto, se
//! `--metricas` pediu, é o [reator](crate::reator).

use std::fmt::{self, Display, Write};
use std::time::Duration;

use crate::balcao::{Contas, Movimento};
use crate::conexao::Fim;

/// Onde acaba cada faixa de um histograma de durações, em segundos.
const DURACOES: [f64; 12] =
    [0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0];

/// Onde acaba cada faixa de um histograma de pedidos por lote.
const LOTES: [f64; 12] =
    [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0];

/// Quantas vezes algo mediu até cada limite.
#[derive(Debug, Clone)]
pub struct Histograma {
    limites: &'static [f64; 12],
    /// A última é das que passaram de todos os limites.
    vezes: [u64; 13],
    soma: f64,
}

impl Histograma {
    /// De durações.
    pub fn de_duracoes() -> Self {
        Histograma { limites: &DURACOES, vezes: [0; 13], soma: 0.0 }
    }

    /// De pedidos por lote.
    pub fn de_lotes() -> Self {
        Histograma { limites: &LOTES, ..Histograma::de_duracoes() }
    }

    /// Mais uma duração.
    pub fn durou(&mut self, duracao: Duration) {
        self.contar(duracao.as_secs_f64());
    }

    /// Mais um valor.
    pub fn contar(&mut self, valor: f64) {
        let faixa = self.limites.iter().position(|limite| valor <= *limite);
        self.vezes[faixa.unwrap_or(self.limites.len())] += 1;
        self.soma += valor;
    }
}

/// Tudo o que se mostra, em um instante.
#[derive(Debug)]
pub struct Retrato<'a> {
    /// Conexões atendidas agora.
    pub ativas: usize,
    /// Bytes guardados de todas.
    pub guardados: usize,
    /// O que passou pelo balcão.
    pub contas: Contas,
    /// Idem, em pormenor.
    pub movimento: &'a Movimento,
    /// Unidades à venda, vendidas e compras recusadas.
    pub estoque: [u64; 3],
    /// Linhas de registro que se perderam.
    pub linhas_perdidas: u64,
    /// Quanto durou cada turno.
    pub turnos: &'a Histograma,
    /// Quanto durou cada transação do livro, se há um.
    pub gravacoes: Option<&'a Histograma>,
}

/// O texto inteiro.
impl Display for Retrato<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contas { conexoes, lotadas, lotadas_para_o_ip, pico, .. } = self.contas;
        let [a_venda, vendidas, recusas] = self.estoque;
        um(f, "conexoes_ativas", "gauge", "Conexões atendidas agora.", self.ativas as u64)?;
        um(f, "conexoes_pico", "gauge", "O máximo de conexões ao mesmo tempo.", pico as u64)?;
        um(f, "conexoes_total", "counter", "Conexões atendidas.", conexoes)?;
        let motivos = [("lotado", lotadas), ("lotado para o IP", lotadas_para_o_ip)];
        muitos(f, "conexoes_recusadas_total", "Conexões recusadas.", "motivo", motivos)?;
        let fins =
            Fim::TODOS.iter().map(|fim| (fim.to_string(), self.movimento.fins[*fim as usize]));
        muitos(f, "conexoes_encerradas_total", "Conexões que terminaram.", "motivo", fins)?;
        let comandos = Movimento::COMANDOS.into_iter().zip(self.movimento.comandos);
        muitos(f, "comandos_total", "Comandos atendidos.", "comando", comandos)?;
        um(f, "estoque_unidades", "gauge", "Unidades à venda.", a_venda)?;
        um(
            f,
            "unidades_vendidas_total",
            "counter",
            "Unidades vendidas desde que abriu.",
            vendidas,
        )?;
        um(
            f,
            "compras_recusadas_total",
            "counter",
            "Compras sem estoque que as atendesse.",
            recusas,
        )?;
        let avisos = self.movimento.avisos;
        um(f, "avisos_total", "counter", "AVISOs postos na saída de uma conexão.", avisos)?;
        let guardados = self.guardados as u64;
        um(f, "memoria_guardada_bytes", "gauge", "Guardados de todas as conexões.", guardados)?;
        let perdidas = self.linhas_perdidas;
        um(f, "registro_linhas_perdidas_total", "counter", "Linhas que se perderam.", perdidas)?;
        histograma(f, "turno_seconds", "Quanto durou cada turno.", self.turnos)?;
        histograma(f, "lote_pedidos", "Pedidos em cada lote.", &self.movimento.lotes)?;
        histograma(
            f,
            "lote_em_voo_seconds",
            "Espera por um estoque partilhado.",
            &self.movimento.voos,
        )?;
        self.gravacoes.map_or(Ok(()), |gravacoes| {
            histograma(
                f,
                "livro_gravacao_seconds",
                "Quanto durou cada transação do livro.",
                gravacoes,
            )
        })
    }
}

fn cabecalho(f: &mut impl Write, nome: &str, tipo: &str, ajuda: &str) -> fmt::Result {
    write!(f, "# HELP vendas_{nome} {ajuda}\n# TYPE vendas_{nome} {tipo}\n")
}

fn um(f: &mut impl Write, nome: &str, tipo: &str, ajuda: &str, valor: u64) -> fmt::Result {
    cabecalho(f, nome, tipo, ajuda)?;
    writeln!(f, "vendas_{nome} {valor}")
}

/// Contas da mesma coisa, uma por etiqueta. Nenhuma etiqueta precisa de escape.
fn muitos<E: Display>(
    f: &mut impl Write,
    nome: &str,
    ajuda: &str,
    etiqueta: &str,
    contas: impl IntoIterator<Item = (E, u64)>,
) -> fmt::Result {
    cabecalho(f, nome, "counter", ajuda)?;
    contas
        .into_iter()
        .try_for_each(|(qual, conta)| writeln!(f, "vendas_{nome}{{{etiqueta}=\"{qual}\"}} {conta}"))
}

fn histograma(f: &mut impl Write, nome: &str, ajuda: &str, dele: &Histograma) -> fmt::Result {
    cabecalho(f, nome, "histogram", ajuda)?;
    let mut ate_aqui = 0;
    for (limite, vezes) in dele.limites.iter().zip(dele.vezes) {
        ate_aqui += vezes;
        writeln!(f, "vendas_{nome}_bucket{{le=\"{limite}\"}} {ate_aqui}")?;
    }
    let todas: u64 = dele.vezes.iter().sum();
    writeln!(f, "vendas_{nome}_bucket{{le=\"+Inf\"}} {todas}")?;
    writeln!(f, "vendas_{nome}_sum {}\nvendas_{nome}_count {todas}", dele.soma)
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn um_histograma_conta_ate_cada_limite() {
        let mut tempos = Histograma::de_duracoes();
        for ms in [1, 1, 3, 5000] {
            tempos.durou(Duration::from_millis(ms));
        }
        let mut texto = String::new();
        histograma(&mut texto, "x_seconds", "X.", &tempos).unwrap();
        for linha in [
            "vendas_x_seconds_bucket{le=\"0.0005\"} 0",
            "vendas_x_seconds_bucket{le=\"0.001\"} 2",
            "vendas_x_seconds_bucket{le=\"0.005\"} 3",
            "vendas_x_seconds_bucket{le=\"2\"} 3",
            "vendas_x_seconds_bucket{le=\"+Inf\"} 4",
            "vendas_x_seconds_sum 5.005",
            "vendas_x_seconds_count 4",
        ] {
            assert!(texto.lines().any(|dita| dita == linha), "falta {linha} em\n{texto}");
        }
    }
}
