//! Os [números](super::Numeros) no formato de texto do Prometheus, versão 0.0.4: de cada um, o que é, de que tipo, e
//! quanto. Só escreve. Os nomes seguem as convenções dele (`_total`, `_seconds`, `_bytes`).

use std::fmt::{Display, Write};

use super::{Desfecho, Guardado, Histograma, Numeros};
use crate::balcao::Tipo;
use crate::conexao::Fim;

const NANOSSEGUNDOS: f64 = 1e9;

/// O texto inteiro.
pub(crate) fn escrever(numeros: &Numeros<'_>) -> String {
    let mut texto = Texto(String::with_capacity(16 * 1024));
    das_conexoes(&mut texto, numeros);
    do_balcao(&mut texto, numeros);
    das_medidas(&mut texto, numeros);
    texto.0
}

fn das_conexoes(texto: &mut Texto, numeros: &Numeros<'_>) {
    let Numeros { contas, limites, .. } = numeros;
    texto.medida("conexoes_ativas", "Conexões atendidas agora.", numeros.ativas);
    texto.medida("conexoes_ativas_pico", "O máximo de conexões ao mesmo tempo.", contas.pico);
    texto.medida("conexoes_maximo", "Quantas cabem ao mesmo tempo.", limites.conexoes);
    texto.conta("conexoes_atendidas_total", "Conexões atendidas.", contas.conexoes);
    let recusadas = [
        (Fim::Lotado.to_string(), contas.lotadas),
        (Fim::LotadoParaOIp.to_string(), contas.lotadas_para_o_ip),
    ];
    texto.contas(
        "conexoes_recusadas_total",
        "Conexões recusadas, por motivo.",
        "motivo",
        recusadas,
    );
    let atendidas = Fim::TODOS.into_iter().filter(|fim| !fim.recusada());
    let fins = atendidas.map(|fim| (fim, numeros.movimento.fins(fim)));
    texto.contas(
        "conexoes_encerradas_total",
        "Conexões atendidas que terminaram, e como.",
        "fim",
        fins,
    );
}

fn do_balcao(texto: &mut Texto, numeros: &Numeros<'_>) {
    let (movimento, loja) = (numeros.movimento, numeros.loja);
    let comandos = Tipo::TODOS.into_iter().map(|tipo| (tipo.nome(), movimento.pedidos_de(tipo)));
    texto.contas("comandos_total", "Comandos atendidos, por tipo.", "comando", comandos);
    texto.conta("unidades_vendidas_total", "Unidades vendidas desde que abriu.", loja.vendas());
    texto.conta(
        "compras_recusadas_total",
        "Compras recusadas por falta de estoque.",
        loja.recusas(),
    );
    texto.medida("estoque_unidades", "Unidades à venda, que este servidor saiba.", loja.estoque());
    texto.conta(
        "avisos_total",
        "AVISOs de esgotamento postos na saída de clientes.",
        movimento.avisos(),
    );
    let perdidas = "Linhas de registro que não chegaram ao destino.";
    texto.conta("registro_linhas_perdidas_total", perdidas, numeros.linhas_perdidas);
    let guardados = "Bytes guardados das conexões: respostas por entregar e pedidos por atender.";
    texto.medida("guardado_bytes", guardados, numeros.guardados);
    let teto = "O máximo que se guarda (--memoria).";
    texto.medida("guardado_maximo_bytes", teto, numeros.limites.memoria);
}

fn das_medidas(texto: &mut Texto, numeros: &Numeros<'_>) {
    let medidas = numeros.medidas;
    texto.histograma(
        "turno_duracao_seconds",
        "Quanto durou cada turno.",
        NANOSSEGUNDOS,
        &medidas.turnos,
    );
    let lotes = "Comandos atendidos em cada turno em que houve algum.";
    texto.histograma("turno_comandos", lotes, 1.0, &medidas.lotes);
    match numeros.guardado {
        Guardado::Memoria => {}
        Guardado::Livro => {
            let firmar = "Quanto o livro demorou a firmar cada lote de vendas.";
            let nome = "livro_firmar_duracao_seconds";
            texto.histograma(nome, firmar, NANOSSEGUNDOS, &medidas.firmados);
        }
        Guardado::Partilhado => {
            let alcance = "Se o estoque partilhado está ao alcance: 1 ou 0.";
            texto.medida("partilhado_ao_alcance", alcance, u8::from(medidas.ao_alcance));
            let propor = "Quanto o estoque partilhado demorou a responder a cada proposta.";
            let nome = "partilhado_proposta_duracao_seconds";
            texto.histograma(nome, propor, NANOSSEGUNDOS, &medidas.propostas);
            let desfechos =
                Desfecho::TODOS.map(|(qual, nome)| (nome, medidas.desfechos[qual as usize]));
            let como = "Propostas ao estoque partilhado, e como acabaram.";
            texto.contas("partilhado_propostas_total", como, "desfecho", desfechos);
        }
    }
}

/// Escrever em memória não falha.
struct Texto(String);

impl Texto {
    /// O que só cresce.
    fn conta(&mut self, nome: &str, ajuda: &str, valor: impl Display) {
        self.apresentar(nome, ajuda, "counter");
        let _ = writeln!(self.0, "vendas_{nome} {valor}");
    }

    /// O que sobe e desce.
    fn medida(&mut self, nome: &str, ajuda: &str, valor: impl Display) {
        self.apresentar(nome, ajuda, "gauge");
        let _ = writeln!(self.0, "vendas_{nome} {valor}");
    }

    /// Várias contas do mesmo. O que vai entre aspas é nosso, e não tem o que escapar.
    fn contas(
        &mut self,
        nome: &str,
        ajuda: &str,
        rotulo: &str,
        contas: impl IntoIterator<Item = (impl Display, u64)>,
    ) {
        self.apresentar(nome, ajuda, "counter");
        for (qual, valor) in contas {
            let _ = writeln!(self.0, "vendas_{nome}{{{rotulo}=\"{qual}\"}} {valor}");
        }
    }

    /// Os limites e a soma se guardam em inteiros, e se mostram divididos por `unidade`.
    fn histograma<const N: usize>(
        &mut self,
        nome: &str,
        ajuda: &str,
        unidade: f64,
        histograma: &Histograma<N>,
    ) {
        self.apresentar(nome, ajuda, "histogram");
        for (limite, quantos) in histograma.acumulado() {
            let limite = limite as f64 / unidade;
            let _ = writeln!(self.0, "vendas_{nome}_bucket{{le=\"{limite}\"}} {quantos}");
        }
        let quantos = histograma.quantos;
        let _ = writeln!(self.0, "vendas_{nome}_bucket{{le=\"+Inf\"}} {quantos}");
        let _ = writeln!(self.0, "vendas_{nome}_sum {}", histograma.soma as f64 / unidade);
        let _ = writeln!(self.0, "vendas_{nome}_count {quantos}");
    }

    fn apresentar(&mut self, nome: &str, ajuda: &str, tipo: &str) {
        let _ = writeln!(self.0, "# HELP vendas_{nome} {ajuda}");
        let _ = writeln!(self.0, "# TYPE vendas_{nome} {tipo}");
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn um_histograma_se_escreve_acumulado_com_a_soma_e_a_conta() {
        let mut histograma = Histograma::<3>::novo(500_000_000);
        for valor in [500_000_000, 750_000_000, 9_000_000_000] {
            histograma.anotar(valor);
        }
        let mut texto = Texto(String::new());
        texto.histograma("espera_seconds", "A espera.", NANOSSEGUNDOS, &histograma);
        let esperado = "# HELP vendas_espera_seconds A espera.\n\
                        # TYPE vendas_espera_seconds histogram\n\
                        vendas_espera_seconds_bucket{le=\"0.5\"} 1\n\
                        vendas_espera_seconds_bucket{le=\"1\"} 2\n\
                        vendas_espera_seconds_bucket{le=\"2\"} 2\n\
                        vendas_espera_seconds_bucket{le=\"+Inf\"} 3\n\
                        vendas_espera_seconds_sum 10.25\n\
                        vendas_espera_seconds_count 3\n";
        assert_eq!(texto.0, esperado);
    }
}
