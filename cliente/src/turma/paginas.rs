//! As páginas da turma: o índice, que se ordena sem rede, e a de quem não tem laudo. Dizem o que os resultados guardam; não julgam.

use std::fs;
use std::io;
use std::path::Path;

use askama::Template;
use protocolo::terminal::contar;
use serde::Serialize;

use super::resultado::{ClienteVisto, Desfecho, Resultado};
use crate::avaliacao::boletim::nota;
use crate::avaliacao::modulo::pode_ser_da_maquina;
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
    comeco: String,
    /// De quanto a quanto vai.
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
    resultado: &'a Resultado,
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

/// Onde começa, no alto da página, a nota com os pontos do cliente, e onde o alto acaba.
const NOTA_INTEIRA: &str = "<p id=\"nota-inteira\">";
const FIM_DO_ALTO: &str = "</header>";

/// Põe na página de um aluno, que já está na pasta, o que se viu do cliente dele.
///
/// # Errors
///
/// A página não se lê ou não se escreve.
pub fn juntar_o_cliente(alunos: &Path, resultado: &Resultado) -> io::Result<()> {
    let Some(visto) = &resultado.observado else { return Ok(()) };
    let pagina = alunos.join(format!("{}.html", resultado.apelido));
    let do_servidor = fs::read_to_string(&pagina)?;
    fs::write(pagina, com_o_cliente(&do_servidor, resultado, visto))
}

/// A página de um aluno, com o que se viu do cliente dele no fim, e no alto a nota inteira, se o cliente vale pontos; o que
/// já havia se troca.
fn com_o_cliente(pagina: &str, resultado: &Resultado, visto: &ClienteVisto) -> String {
    let fim = pagina.find(DO_CLIENTE).or_else(|| pagina.rfind(FIM_DA_PAGINA));
    let ate_ali = pagina.get(..fim.unwrap_or(pagina.len())).unwrap_or(pagina);
    let dele = DoCliente { resultado, visto }.render().unwrap_or_default();
    let (alto, resto) = ate_ali.split_once(FIM_DO_ALTO).unwrap_or((ate_ali, ""));
    let alto = alto.split(NOTA_INTEIRA).next().unwrap_or(alto);
    let inteira = match resultado.pesos.cliente {
        0.0 => String::new(),
        _ => format!("{NOTA_INTEIRA}{}</p>\n", resultado.conta_da_nota()),
    };
    format!("{alto}{inteira}{FIM_DO_ALTO}{resto}{dele}\n{FIM_DA_PAGINA}\n</html>\n")
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
    resultados.first().map_or(10.0, Resultado::maxima)
}

/// Os nomes dos itens.
fn colunas(resultados: &[Resultado]) -> Vec<String> {
    let itens = resultados.iter().find_map(|resultado| match &resultado.desfecho {
        Desfecho::Avaliada(avaliada) => Some(&avaliada.itens),
        _ => None,
    });
    itens.into_iter().flatten().map(|item| item.nome.clone()).collect()
}

/// A turma em uma linha: quantas entregas, a média, e quantas não têm o que se esperava.
pub fn resumo(resultados: &[Resultado], entregas: usize) -> String {
    let notas: Vec<f64> = resultados.iter().filter_map(Resultado::nota).collect();
    let mut partes = vec![contar(entregas, "entrega", "entregas")];
    if !notas.is_empty() {
        let media = notas.iter().sum::<f64>() / notas.len() as f64;
        partes.push(format!("média {}, mediana {}", nota(media), nota(mediana(notas))));
    }
    let contadas = [
        ("não abre", "não abrem", resultados.iter().filter(|r| r.situacao() == "não abre").count()),
        ("sem nota", "sem nota", resultados.iter().filter(|r| r.situacao() == "sem nota").count()),
        ("por avaliar", "por avaliar", entregas - resultados.len()),
    ];
    for (uma, muitas, quantas) in contadas.into_iter().filter(|(.., quantas)| *quantas > 0) {
        partes.push(contar(quantas, uma, muitas));
    }
    partes.join("; ")
}

/// A nota do meio; com um número par delas, a média das duas do meio. Há pelo menos uma.
fn mediana(mut notas: Vec<f64>) -> f64 {
    notas.sort_by(f64::total_cmp);
    let meio = notas.len() / 2;
    match notas.len() % 2 {
        0 => (notas[meio - 1] + notas[meio]) / 2.0,
        _ => notas[meio],
    }
}

/// Quantas notas há em cada décimo da escala.
fn faixas(resultados: &[Resultado]) -> Vec<Faixa> {
    const FAIXAS: usize = 10;
    let maxima = maxima(resultados);
    let mut quantas = [0; FAIXAS];
    for valor in resultados.iter().filter_map(Resultado::nota) {
        let faixa = (valor / maxima * FAIXAS as f64 + 1e-9) as usize;
        quantas[faixa.min(FAIXAS - 1)] += 1;
    }
    let maior = quantas.iter().copied().max().unwrap_or(0).max(1);
    let faixa = |(indice, quantas): (usize, usize)| {
        let limite = |indice: usize| nota(maxima * indice as f64 / FAIXAS as f64);
        Faixa {
            comeco: limite(indice),
            // A última inclui a maior nota; as outras, só o que vem antes da seguinte.
            rotulo: match indice + 1 == FAIXAS {
                true => format!("{} a {}", limite(indice), limite(indice + 1)),
                false => format!("{} até menos de {}", limite(indice), limite(indice + 1)),
            },
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
        self.nota().map_or("–".into(), nota)
    }

    /// A do servidor.
    fn nota_do_servidor(&self) -> String {
        self.desfecho.nota().map_or("–".into(), nota)
    }

    /// Falta um módulo, e não se sabe se é desta máquina ou da entrega?
    fn pode_faltar_na_entrega(&self) -> bool {
        pode_ser_da_maquina(self.desfecho.razao())
    }

    /// De que se faz a nota, quando o cliente também vale pontos.
    fn conta_da_nota(&self) -> String {
        let vale = nota(self.pesos.cliente);
        match (self.desfecho.nota(), self.pontos_do_cliente(), self.nota()) {
            (Some(servidor), Some(cliente), Some(inteira)) => format!(
                "O servidor, {}, e o cliente, {} de {vale}: a nota é <strong>{} de {}</strong>.",
                nota(servidor),
                nota(cliente),
                nota(inteira),
                nota(self.maxima()),
            ),
            _ => format!(
                "O cliente vale {vale}; ainda não há nota, porque falta a de uma das partes."
            ),
        }
    }

    /// O que o cliente muda na nota.
    fn o_que_o_cliente_vale(&self) -> String {
        let vale = nota(self.pesos.cliente);
        match self.pontos_do_cliente() {
            _ if self.pesos.cliente == 0.0 => "Isto não muda a nota.".into(),
            Some(pontos) => {
                let do_enunciado = self.observado.as_ref().map(ClienteVisto::do_enunciado);
                let (sim, vistas, _) = do_enunciado.unwrap_or_default();
                let porque = match vistas {
                    0 => String::new(),
                    _ => format!(": do que o enunciado pede e se viu, cumpre {sim} de {vistas}"),
                };
                format!("Vale {} de {vale} pontos{porque}.", nota(pontos))
            }
            None => {
                let porque = self.observado.as_ref().map(ClienteVisto::razao).unwrap_or_default();
                format!("Vale até {vale} pontos, e ainda não há nota: {porque}.")
            }
        }
    }

    /// A cor da nota.
    fn tinta(&self) -> Tinta {
        self.nota().map_or(Tinta::Neutra, |nota| Tinta::da_nota(nota, self.maxima()))
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
        self.nota().unwrap_or(-1.0)
    }

    /// O que se viu do cliente, a cor, e quanto cumpriu, para ordenar.
    fn do_cliente(&self) -> (String, Tinta, f64) {
        let Some(visto) = &self.observado else { return (String::new(), Tinta::Neutra, -1.0) };
        let vale = self.pesos.cliente;
        if let Some(pontos) = self.pontos_do_cliente().filter(|_| vale > 0.0) {
            let escrito = format!("{} de {}", nota(pontos), nota(vale));
            return (escrito, Tinta::da_nota(pontos, vale), pontos / vale);
        }
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
    use crate::avaliacao::modulo::Falta;
    use crate::observacao::regras::ALEM;
    use crate::turma::resultado::exemplos::{avaliada, com_cliente, nao_abriu};

    const PAGINA: &str =
        "<body><header>\n<h1>9,5</h1>\n</header><p>do servidor</p>\n</body>\n</html>\n";

    #[test]
    fn o_indice_tem_todos_e_nada_do_que_entregaram_vira_html() {
        let pagina = indice(&[avaliada("<script>Ana", 9.5), nao_abriu("Beto")], 3);
        assert!(!pagina.contains("<script>Ana") && pagina.contains("&#60;script&#62;Ana"));
        assert!(pagina.contains("alunos/beto.html"));
        assert!(pagina.contains("3 entregas; média 4,75, mediana 4,75; 1 não abre; 1 por avaliar"));
        assert!(!pagina.contains("http"), "a página não usa a rede");
    }

    #[test]
    fn a_pagina_ganha_o_cliente_uma_vez_so_e_nada_dele_vira_html() {
        let nao_se_viu =
            |motivo: &str| ClienteVisto::NaoSeViu { motivo: motivo.into(), da_entrega: true };
        let (ana, pagina) = (avaliada("ana", 9.5), PAGINA);
        let uma = com_o_cliente(pagina, &ana, &nao_se_viu("<b>primeira"));
        let duas = com_o_cliente(&uma, &ana, &nao_se_viu("segunda"));
        assert!(uma.contains("do servidor") && uma.contains("&#60;b&#62;primeira"), "{uma}");
        assert!(duas.contains("do servidor") && duas.contains("segunda"), "{duas}");
        assert!(!duas.contains("primeira") && duas.matches("</body>").count() == 1, "{duas}");
    }

    #[test]
    fn a_pagina_diz_no_alto_a_nota_inteira_se_o_cliente_vale_pontos() {
        let vistas = [("§5.1", Estado::Cumprido), ("§5.3", Estado::NaoCumprido)];
        let com = |pagina: &str, vale| {
            let ana = com_cliente(avaliada("ana", 9.5), &vistas, vale);
            com_o_cliente(pagina, &ana, ana.observado.as_ref().unwrap())
        };
        let sem_peso = com(PAGINA, 0.0);
        assert!(sem_peso.contains("Isto não muda a nota") && !sem_peso.contains("nota-inteira"));
        let valendo = com(&sem_peso, 3.0);
        assert!(valendo.contains("a nota é <strong>11,0 de 13,0</strong>"), "{valendo}");
        assert!(!valendo.contains("não muda a nota") && valendo.contains("viu-se &#60;isto&#62;"));
        let outra = com(&valendo, 2.0);
        assert!(outra.contains("10,5 de 12,0") && !outra.contains("11,0 de 13,0"), "{outra}");
        assert_eq!(com(&outra, 0.0), sem_peso);
    }

    #[test]
    fn o_indice_tem_os_pontos_do_cliente_e_a_nota_inteira() {
        let ana = com_cliente(avaliada("ana", 9.5), &[("§5.1", Estado::Cumprido)], 2.0);
        let pagina = indice(&[ana], 1);
        assert!(
            pagina.contains("<strong>11,5</strong>") && pagina.contains("2,0 de 2,0</td>"),
            "{pagina}"
        );
        assert!(pagina.contains("10,8 a 12,0: 1"), "a distribuição vai até a maior nota");
    }

    #[test]
    fn a_mediana_de_um_numero_par_e_a_media_das_duas_do_meio() {
        let resumo_de = |notas: &[f64]| {
            let resultados: Vec<_> = notas.iter().map(|nota| avaliada("x", *nota)).collect();
            resumo(&resultados, resultados.len())
        };
        assert!(resumo_de(&[10.0, 0.0, 10.0, 0.0]).contains("média 5,0, mediana 5,0"));
        assert!(resumo_de(&[9.0, 0.0, 6.0]).contains("média 5,0, mediana 6,0"));
        assert!(!resumo_de(&[]).contains("mediana"));
    }

    #[test]
    fn a_coluna_do_cliente_so_conta_o_que_o_enunciado_pede() {
        let vistas = [
            ("§5.1", Estado::Cumprido),
            ("§5.3", Estado::NaoCumprido),
            (ALEM, Estado::Cumprido),
            (ALEM, Estado::NaoCumprido),
        ];
        let pagina = indice(&[com_cliente(avaliada("ana", 9.5), &vistas, 0.0)], 1);
        assert!(pagina.contains(">1 de 2</td>"), "{pagina}");
    }

    #[test]
    fn as_faixas_contam_todas_as_notas_tambem_as_das_pontas() {
        let notas = [0.0, 9.99, 10.0, 7.0];
        let resultados: Vec<Resultado> = notas.iter().map(|nota| avaliada("x", *nota)).collect();
        let faixas = faixas(&resultados);
        let quantas: Vec<usize> = faixas.iter().map(|faixa| faixa.quantas).collect();
        assert_eq!(quantas, [1, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
        // O 7,0 é da que começa nele, e a última diz que fica com o 10,0.
        let rotulos = [6, 7, 9].map(|indice: usize| faixas[indice].rotulo.as_str());
        assert_eq!(rotulos, ["6,0 até menos de 7,0", "7,0 até menos de 8,0", "9,0 a 10,0"]);
    }

    #[test]
    fn do_que_pode_faltar_na_entrega_a_pagina_nao_diz_que_nao_e_erro_dela() {
        let com = |motivo: String| {
            let desfecho = Desfecho::SemNota { motivo };
            sem_laudo(&Resultado { desfecho, ..nao_abriu("Beto") })
        };
        let da_maquina = com("esta máquina não tem o programa 'node'".into());
        assert!(da_maquina.contains("Não é um erro da entrega"), "{da_maquina}");
        let nao_se_sabe = com(Falta::Modulo("estoque".into()).to_string());
        assert!(!nao_se_sabe.contains("Não é um erro da entrega"), "{nao_se_sabe}");
        assert!(nao_se_sabe.contains("ele não veio na entrega"), "{nao_se_sabe}");
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
