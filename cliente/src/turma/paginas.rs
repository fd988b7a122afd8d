//! As páginas da turma: o índice, que se ordena sem rede, e a de quem não tem laudo. Dizem o que os resultados guardam; não julgam.

use askama::Template;
use protocolo::terminal::contar;
use serde::Serialize;

use super::resultado::{ClienteVisto, Desfecho, Resultado};
use crate::avaliacao::boletim::nota;
use crate::cores::Tinta;
use crate::observacao::regras::Estado;
use crate::relatorio::json::em_texto;
use crate::relatorio::pagina::data_e_hora;

#[derive(Template)]
#[template(path = "turma.html")]
struct Indice<'a> {
    quando: String,
    resultados: &'a [Resultado],
    resumo: String,
    faixas: Vec<Faixa>,
    colunas: Vec<String>,
    clientes: bool,
}

/// As notas de um ponto a outro.
struct Faixa {
    rotulo: String,
    quantas: usize,
    /// A altura da barra, em relação à maior.
    porcento: usize,
    tinta: Tinta,
}

#[derive(Template)]
#[template(path = "turma_sem_laudo.html")]
struct SemLaudo<'a> {
    quando: String,
    resultado: &'a Resultado,
}

#[derive(Template)]
#[template(path = "turma_cliente.html")]
struct DoCliente<'a> {
    apelido: &'a str,
    visto: &'a ClienteVisto,
}

#[derive(Serialize)]
struct SemLaudoEmJson<'a> {
    formato: u32,
    nome: &'a str,
    servidor: &'a str,
    nota: Option<f64>,
    motivo: &'a str,
    observacoes: &'a [String],
}

/// O índice da turma.
pub fn indice(resultados: &[Resultado], entregas: usize) -> String {
    let pagina = Indice {
        quando: data_e_hora(),
        resultados,
        resumo: resumo(resultados, entregas),
        faixas: faixas(resultados),
        colunas: colunas(resultados),
        clientes: resultados.iter().any(|resultado| resultado.observado.is_some()),
    };
    // O modelo foi conferido ao compilar, e escrever em uma String não falha.
    pagina.render().unwrap_or_default()
}

/// A página de quem não tem laudo: por que não, e o que fazer.
pub fn sem_laudo(resultado: &Resultado) -> String {
    SemLaudo { quando: data_e_hora(), resultado }.render().unwrap_or_default()
}

/// Onde começa o que se viu do cliente, em uma página que já o tem, e onde a página acaba.
const DO_CLIENTE: &str = "<section id=\"o-cliente\">";
const FIM_DA_PAGINA: &str = "</body>";

/// A página de um aluno, com o que se viu do cliente dele no fim; o que já havia ali se troca.
pub fn com_o_cliente(pagina: &str, apelido: &str, visto: &ClienteVisto) -> String {
    let fim = pagina.find(DO_CLIENTE).or_else(|| pagina.rfind(FIM_DA_PAGINA));
    let ate_ali = pagina.get(..fim.unwrap_or(pagina.len())).unwrap_or(pagina);
    let dele = DoCliente { apelido, visto }.render().unwrap_or_default();
    format!("{ate_ali}{dele}\n{FIM_DA_PAGINA}\n</html>\n")
}

/// O mesmo, para programas.
pub fn sem_laudo_em_json(resultado: &Resultado) -> String {
    em_texto(&SemLaudoEmJson {
        formato: 1,
        nome: &resultado.nome,
        servidor: &resultado.iniciar,
        nota: resultado.desfecho.nota(),
        motivo: resultado.desfecho.razao(),
        observacoes: &resultado.notas,
    })
}

/// A maior nota possível.
fn maxima(resultados: &[Resultado]) -> f64 {
    let somas = resultados.iter().filter_map(|resultado| match &resultado.desfecho {
        Desfecho::Avaliada(avaliada) => Some(avaliada.itens.iter().map(|item| item.de).sum()),
        _ => None,
    });
    somas.reduce(f64::max).unwrap_or(10.0)
}

/// Os nomes dos itens.
fn colunas(resultados: &[Resultado]) -> Vec<String> {
    let itens = resultados.iter().find_map(|resultado| match &resultado.desfecho {
        Desfecho::Avaliada(avaliada) => Some(&avaliada.itens),
        _ => None,
    });
    itens.into_iter().flatten().map(|item| item.nome.clone()).collect()
}

fn resumo(resultados: &[Resultado], entregas: usize) -> String {
    let mut notas: Vec<f64> = resultados.iter().filter_map(|r| r.desfecho.nota()).collect();
    notas.sort_by(f64::total_cmp);
    let mut partes = vec![contar(entregas, "entrega", "entregas")];
    if let Some(meio) = notas.get(notas.len() / 2) {
        let media = notas.iter().sum::<f64>() / notas.len() as f64;
        partes.push(format!("média {}, mediana {}", nota(media), nota(*meio)));
    }
    let contadas = [
        (
            "não abre",
            "não abrem",
            resultados.iter().filter(|r| matches!(r.desfecho, Desfecho::NaoAbriu { .. })).count(),
        ),
        (
            "sem nota",
            "sem nota",
            resultados.iter().filter(|r| matches!(r.desfecho, Desfecho::SemNota { .. })).count(),
        ),
        ("por avaliar", "por avaliar", entregas - resultados.len()),
    ];
    for (uma, muitas, quantas) in contadas.into_iter().filter(|(.., quantas)| *quantas > 0) {
        partes.push(contar(quantas, uma, muitas));
    }
    partes.join("; ")
}

/// Quantas notas há em cada décimo da escala.
fn faixas(resultados: &[Resultado]) -> Vec<Faixa> {
    const FAIXAS: usize = 10;
    let maxima = maxima(resultados);
    let mut quantas = [0; FAIXAS];
    for valor in resultados.iter().filter_map(|resultado| resultado.desfecho.nota()) {
        let faixa = (valor / maxima * FAIXAS as f64 + 1e-9) as usize;
        quantas[faixa.min(FAIXAS - 1)] += 1;
    }
    let maior = quantas.iter().copied().max().unwrap_or(0).max(1);
    let faixa = |(indice, quantas): (usize, usize)| {
        let limite = |indice: usize| nota(maxima * indice as f64 / FAIXAS as f64);
        Faixa {
            rotulo: format!("{} a {}", limite(indice), limite(indice + 1)),
            quantas,
            porcento: quantas * 100 / maior,
            tinta: Tinta::da_nota(indice as f64 + 0.01, FAIXAS as f64),
        }
    };
    quantas.into_iter().enumerate().map(faixa).collect()
}

impl Resultado {
    /// A nota como se lê; sem nota, um traço.
    fn nota_escrita(&self) -> String {
        self.desfecho.nota().map_or("–".into(), nota)
    }

    /// A cor da nota.
    fn tinta(&self) -> Tinta {
        match &self.desfecho {
            Desfecho::Avaliada(avaliada) => {
                Tinta::da_nota(avaliada.nota, avaliada.itens.iter().map(|item| item.de).sum())
            }
            Desfecho::NaoAbriu { .. } => Tinta::Ruim,
            Desfecho::SemNota { .. } => Tinta::Neutra,
        }
    }

    /// Os pontos de cada item; de quem não tem, nada.
    fn pontos(&self) -> Vec<(String, f64)> {
        match &self.desfecho {
            Desfecho::Avaliada(avaliada) => {
                avaliada.itens.iter().map(|item| (nota(item.pontos), item.pontos)).collect()
            }
            _ => vec![(String::new(), -1.0); 4],
        }
    }

    /// A nota para ordenar.
    fn ordem(&self) -> f64 {
        self.desfecho.nota().unwrap_or(-1.0)
    }

    /// O que se viu do cliente, a cor, e quanto cumpriu, para ordenar.
    fn do_cliente(&self) -> (String, Tinta, f64) {
        let Some(visto) = &self.observado else { return (String::new(), Tinta::Neutra, -1.0) };
        let [sim, nao] = [Estado::Cumprido, Estado::NaoCumprido].map(|e| visto.com(e).len());
        match visto {
            ClienteVisto::NaoSeViu { .. } => {
                let dito = if self.cliente.is_some() { "não se viu" } else { "sem cliente" };
                (dito.into(), Tinta::Neutra, -1.0)
            }
            ClienteVisto::Observado { .. } => {
                let tinta = Tinta::da_nota(sim as f64, (sim + nao) as f64);
                (format!("{sim} de {}", sim + nao), tinta, sim as f64 / (sim + nao).max(1) as f64)
            }
        }
    }

    /// Os extras que cumpriu.
    fn extras(&self) -> String {
        let Desfecho::Avaliada(avaliada) = &self.desfecho else { return String::new() };
        let cumpridos = avaliada.extras.iter().filter(|extra| extra.estado != "não cumprido");
        // Cabe em uma coluna estreita: o Log Detalhado é o log.
        let curto = |nome: &str| nome.split(' ').next().unwrap_or_default().to_lowercase();
        let ditos = cumpridos.map(|extra| match extra.estado.as_str() {
            "cumprido" => curto(&extra.nome),
            outro => format!("{} ({outro})", curto(&extra.nome)),
        });
        ditos.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::turma::resultado::exemplos::{avaliada, nao_abriu};

    #[test]
    fn o_indice_tem_todos_e_nada_do_que_entregaram_vira_html() {
        let pagina = indice(&[avaliada("<script>Ana", 9.5), nao_abriu("Beto")], 3);
        assert!(!pagina.contains("<script>Ana") && pagina.contains("&#60;script&#62;Ana"));
        assert!(pagina.contains("alunos/beto.html"));
        assert!(pagina.contains("3 entregas; média 4,75, mediana 9,5; 1 não abre; 1 por avaliar"));
        assert!(!pagina.contains("http"), "a página não usa a rede");
    }

    #[test]
    fn a_pagina_ganha_o_cliente_uma_vez_so_e_nada_dele_vira_html() {
        let nao_se_viu = |motivo: &str| ClienteVisto::NaoSeViu { motivo: motivo.into() };
        let pagina = "<body><p>do servidor</p>\n</body>\n</html>\n";
        let uma = com_o_cliente(pagina, "ana", &nao_se_viu("<b>primeira"));
        let duas = com_o_cliente(&uma, "ana", &nao_se_viu("segunda"));
        assert!(uma.contains("do servidor") && uma.contains("&#60;b&#62;primeira"), "{uma}");
        assert!(duas.contains("do servidor") && duas.contains("segunda"), "{duas}");
        assert!(!duas.contains("primeira") && duas.matches("</body>").count() == 1, "{duas}");
    }

    #[test]
    fn as_faixas_contam_todas_as_notas_tambem_as_das_pontas() {
        let notas = [0.0, 9.99, 10.0, 7.0];
        let resultados: Vec<Resultado> = notas.iter().map(|nota| avaliada("x", *nota)).collect();
        let quantas: Vec<usize> = faixas(&resultados).iter().map(|faixa| faixa.quantas).collect();
        assert_eq!(quantas, [1, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
    }

    #[test]
    fn quem_nao_abre_tem_pagina_e_json_com_o_motivo() {
        let resultado = nao_abriu("Beto");
        assert!(sem_laudo(&resultado).contains("não compila"));
        let json: serde_json::Value = serde_json::from_str(&sem_laudo_em_json(&resultado)).unwrap();
        assert_eq!(
            (json["nota"].as_f64(), json["motivo"].as_str()),
            (Some(0.0), Some("não compila"))
        );
    }
}
