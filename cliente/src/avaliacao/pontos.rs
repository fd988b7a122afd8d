//! Quantos pontos vale o que as provas viram: os pesos são os do §10. Funções puras.

use protocolo::Mensagem;
use protocolo::mensagem::visivel;
use protocolo::terminal::contar;

use super::disputa::Ouvintes;
use super::fregues::{PRAZO, Troca};
use super::laudo::{Conferencia, Estado, Extra, Rodada};
use super::provas::{Conversa, Evidencias, Provocacao};
use crate::parecer::Regra;
use crate::resumo::formatar;

fn conferencia(
    tentou: impl Into<String>,
    de: f64,
    fracao: f64,
    viu: impl Into<String>,
) -> Conferencia {
    Conferencia { tentou: tentou.into(), viu: viu.into(), pontos: de * fracao, de }
}

/// Multithreading, 3,0: "servidor aceita conexões simultâneas sem bloquear".
pub fn multithreading(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let sozinho = vistas.conversa.consultas.first();
    let porque = if sozinho.is_some_and(|troca| troca.resposta.is_none()) {
        "nem um cliente sozinho a tem (veja Protocolo)"
    } else {
        "um cliente bloqueia os outros"
    };
    let atras = |tentou: &str, de: f64, resposta: &Option<Troca>| match resposta {
        Some(troca) => {
            conferencia(tentou, de, 1.0, format!("respondido em {}", formatar(troca.demora)))
        }
        None => conferencia(
            tentou,
            de,
            0.0,
            format!("nenhuma resposta em {}: {porque}", formatar(PRAZO)),
        ),
    };
    let atendidos = vistas.rodadas.iter().map(|rodada| rodada.atendidos).min().unwrap_or(0);
    // O primeiro qualquer servidor atende.
    let fracao = atendidos.saturating_sub(1) as f64 / (compradores - 1) as f64;
    vec![
        atras("um cliente conectado e calado; outro pede CONSULTAR", 1.5, &vistas.atras_do_calado),
        atras(
            "um cliente manda meio comando e para; outro pede CONSULTAR",
            0.5,
            &vistas.atras_da_metade,
        ),
        conferencia(
            format!("{compradores} clientes conectados ao mesmo tempo, todos consultam"),
            1.0,
            fracao,
            format!("{} na pior rodada", contar(atendidos, "atendido", "atendidos")),
        ),
    ]
}

/// Exclusão Mútua, 4,0: "ausência de inconsistência no estoque". Vender a mais uma vez custa tudo;
/// contradizer-se de outro modo, pelo menos a metade; deixar compras sem resposta, a parte delas.
pub fn exclusao_mutua(rodadas: &[Rodada], compradores: usize) -> Vec<Conferencia> {
    let tentou = format!(
        "{} de {compradores} compradores, soltos juntos por uma barreira; a auditoria confere cada resposta",
        contar(rodadas.len(), "rodada", "rodadas")
    );
    let (fracao, viu) = julgar_disputas(rodadas);
    vec![conferencia(tentou, 4.0, fracao, viu)]
}

/// Que fração valem as disputas. Uma contradição é certa ainda que o resto da rodada não se entenda.
fn julgar_disputas(rodadas: &[Rodada]) -> (f64, String) {
    let todas = rodadas.len();
    let quantas = |certa: fn(&Rodada) -> bool| rodadas.iter().filter(|r| certa(r)).count();
    let soma = |conta: fn(&Rodada) -> u64| rodadas.iter().map(conta).sum::<u64>();
    let erradas = quantas(|rodada| !rodada.contradicoes.is_empty());
    let demais = quantas(Rodada::vendeu_demais);
    if demais > 0 {
        let maximo = rodadas.iter().map(|rodada| rodada.vendas).max().unwrap_or(0);
        return (
            0.0,
            format!(
                "vendeu a mais, ou deixou o estoque negativo, em {demais} de {todas} rodadas (na pior, \
                 {maximo} vendas): o Lock falta, ou não cobre juntos o teste e o desconto"
            ),
        );
    }
    if erradas > 0 {
        let fracao = 0.5 * (todas - erradas) as f64 / todas as f64;
        return (
            fracao,
            format!("houve contradição em {erradas} de {todas} rodadas, sem vender a mais"),
        );
    }
    if todas == 0 || quantas(|rodada| rodada.atendidos < 2) > 0 {
        return (0.0, "não se prova: nunca houve dois clientes atendidos ao mesmo tempo".into());
    }
    let (vendas, recusas) = (soma(|r| r.vendas), soma(|r| r.recusas));
    let (caladas, estranhas) = (soma(|r| r.sem_resposta), soma(|r| r.estranhas));
    if estranhas > vendas + recusas {
        return (0.0, "não se prova: as respostas a COMPRAR não são as do enunciado".into());
    }
    if vendas + recusas == 0 {
        return (0.0, "não se prova: nenhuma compra teve resposta".into());
    }
    if vendas == 0 {
        let fazer = "feche o servidor, abra-o de novo e repita";
        return (0.0, format!("não se prova: nada havia a vender; {fazer}"));
    }
    let em_rodadas = contar(todas, "rodada", "rodadas");
    if caladas + estranhas > 0 {
        let entendidas = (vendas + recusas) as f64;
        let sem_resposta = caladas + estranhas;
        return (
            entendidas / (entendidas + sem_resposta as f64),
            format!(
                "{vendas} vendas em {em_rodadas} sem contradição, mas {sem_resposta} compras ficaram sem \
                 resposta: um Lock que ninguém soltou?"
            ),
        );
    }
    (1.0, format!("{vendas} vendas em {em_rodadas}, nenhuma contradição"))
}

impl Rodada {
    /// Vendeu o que não tinha, ou a mesma unidade duas vezes?
    fn vendeu_demais(&self) -> bool {
        self.contradicoes
            .iter()
            .any(|v| matches!(v.regra, Regra::EstoqueNegativo | Regra::VendaRepetida))
    }
}

/// Protocolo, 2,0: "comandos COMPRAR/CONSULTAR funcionam conforme especificado" (§3.2).
pub fn protocolo(vistas: &Evidencias, estoque: u64) -> Vec<Conferencia> {
    let Conversa { inicial, consultas, compras, recusas, contradicao, .. } = &vistas.conversa;
    let e_estoque = |m: &Mensagem| matches!(m, Mensagem::Estoque(_));
    let e_compra = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let e_recusa = |m: &Mensagem| matches!(m, Mensagem::Esgotado);
    let forma =
        |tentou: &str, trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool| {
            let (fracao, viu) = texto(trocas, esperada, certa);
            conferencia(tentou, 0.6, fracao, viu)
        };
    let mut compra =
        forma("COMPRAR com estoque", compras, "Compra realizada. Estoque restante: 9", &e_compra);
    if let Some(contradicao) = contradicao {
        compra = conferencia(
            compra.tentou,
            compra.de,
            0.0,
            format!("os números não batem: {contradicao}"),
        );
    }
    let leu = inicial.map_or("não se entendeu".into(), |inicial| format!("leu {inicial}"));
    let certo = *inicial == Some(i128::from(estoque));
    vec![
        conferencia(
            format!("o estoque começa em {estoque}"),
            0.2,
            if certo { 1.0 } else { 0.0 },
            leu,
        ),
        forma("CONSULTAR", consultas, "Estoque atual: 10", &e_estoque),
        compra,
        forma("COMPRAR sem estoque", recusas, "ERRO: Produto esgotado", &e_recusa),
    ]
}

/// Que fração vale o texto destas respostas: letra por letra, tudo; com o mesmo sentido, metade.
fn texto(trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool) -> (f64, String) {
    let Some(primeira) = trocas.first() else { return (0.0, "não se chegou a ver".into()) };
    if let Some(muda) = trocas.iter().find(|troca| troca.resposta.is_none()) {
        let viu = if muda.demora < PRAZO {
            "a conexão fechou antes da resposta".into()
        } else {
            format!("ficou sem resposta em {}", formatar(PRAZO))
        };
        return (0.0, viu);
    }
    let estranha = trocas.iter().find(|troca| !troca.mensagem().is_some_and(|m| certa(&m)));
    if let Some(estranha) = estranha {
        return (0.0, format!("esperava '{esperada}', e veio '{}'", mostrar(estranha)));
    }
    match trocas.iter().find(|troca| !troca.ao_pe_da_letra()) {
        None => (1.0, format!("'{}', letra por letra", mostrar(primeira))),
        Some(parecida) => {
            (0.5, format!("o sentido é o de '{esperada}', mas veio '{}'", mostrar(parecida)))
        }
    }
}

fn mostrar(troca: &Troca) -> String {
    curto(troca.resposta.as_deref().unwrap_or_default())
}

/// Robustez, 1,0: "tratamento de erros (ex: cliente desconecta abruptamente)". Um servidor que cai não
/// vende mais nada: custa o item inteiro.
pub fn robustez(provocacoes: &[(Provocacao, Result<(), String>)]) -> Vec<Conferencia> {
    let caiu = provocacoes.iter().any(|(_, resultado)| resultado.is_err());
    let conferir = |(provocacao, resultado): &(Provocacao, Result<(), String>)| {
        let (tentou, de) = match provocacao {
            Provocacao::Resets => {
                ("20 clientes quebram a conexão (reset), com e sem comando no meio", 0.5)
            }
            Provocacao::Metades => ("20 clientes vão embora no meio de um comando", 0.25),
            Provocacao::Lixo => ("20 clientes mandam bytes que não são comando nem texto", 0.25),
        };
        match resultado {
            Ok(()) if caiu => conferencia(
                tentou,
                de,
                0.0,
                "os outros seguiram atendidos; sem pontos, porque o servidor não sobrevive a outra prova",
            ),
            Ok(()) => conferencia(tentou, de, 1.0, "os outros seguiram atendidos"),
            Err(porque) => conferencia(tentou, de, 0.0, porque.clone()),
        }
    };
    provocacoes.iter().map(conferir).collect()
}

/// Extra, §9.1: hora, IP e porta do cliente no console, para cada comando.
pub fn log(vistas: &Evidencias) -> Extra {
    let Conversa { console, porta, consultas, compras, recusas, .. } = &vistas.conversa;
    let comandos = consultas.len() + compras.len() + recusas.len();
    let (estado, viu) = match (console, porta) {
        (Some(console), Some(porta)) => julgar_log(console, *porta, comandos),
        _ => (Estado::NaoAvaliado, "o console só se vê com --iniciar".into()),
    };
    let tentou = format!("{} de um cliente, no console.", contar(comandos, "comando", "comandos"));
    Extra { nome: "Log Detalhado", estado, tentou, viu }
}

fn julgar_log(console: &str, porta: u16, comandos: usize) -> (Estado, String) {
    let dele: Vec<&str> = linhas_da_porta(console, porta).collect();
    let com_ip = dele.iter().filter(|linha| tem_ip(linha)).count();
    let completas = dele.iter().filter(|linha| tem_ip(linha) && tem_hora(linha)).count();
    let exemplo = dele.last().map(|linha| format!(": '{}'", curto(linha))).unwrap_or_default();
    if comandos > 0 && completas >= comandos {
        (Estado::Cumprido, format!("uma linha por comando, com hora, IP e porta{exemplo}"))
    } else if comandos > 0 && com_ip >= comandos {
        (Estado::EmParte, format!("uma linha por comando, com IP e porta, mas sem a hora{exemplo}"))
    } else {
        let linhas = contar(com_ip, "linha", "linhas");
        (
            Estado::NaoCumprido,
            format!("{linhas} com o IP e a porta do cliente, para {comandos} comandos{exemplo}"),
        )
    }
}

/// As linhas do console que têm este número de porta, e não só os algarismos dele dentro de outro.
pub fn linhas_da_porta(console: &str, porta: u16) -> impl Iterator<Item = &str> {
    let porta = porta.to_string();
    console.lines().filter(move |linha| {
        linha.split(|letra: char| !letra.is_ascii_digit()).any(|numero| numero == porta)
    })
}

fn tem_ip(linha: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].iter().any(|ip| linha.contains(ip))
}

/// `14:05:09` em algum lugar, ou o tempo desde 1970, em segundos ou em uma fração deles. O que o Python
/// chama de número da thread tem 15 algarismos, e não é a hora.
fn tem_hora(linha: &str) -> bool {
    let digito = |b: u8| b.is_ascii_digit();
    let relogio = |j: &[u8]| {
        digito(j[0])
            && j[1] == b':'
            && digito(j[2])
            && digito(j[3])
            && j[4] == b':'
            && digito(j[5])
            && digito(j[6])
    };
    let epoca = |numero: &str| matches!(numero.len(), 10 | 13 | 16 | 19) && numero.starts_with('1');
    linha.as_bytes().windows(7).any(relogio)
        || linha.split(|letra: char| !letra.is_ascii_digit()).any(epoca)
}

/// Extra, §9.2: o AVISO a todos os conectados, no momento do esgotamento.
pub fn broadcast(vistas: &Evidencias) -> Extra {
    let Ouvintes { conectados, ouviram, desordem, outras_palavras, espalhamento, .. } =
        &vistas.aviso;
    let palavras = outras_palavras.as_deref().map(curto);
    let palavras = palavras.map(|p| format!(", em outras palavras: '{p}'")).unwrap_or_default();
    let quantos = format!(
        "chegou a {ouviram} de {conectados}, {} do primeiro ao último{palavras}",
        formatar(*espalhamento)
    );
    let primeira = vistas.rodadas.first();
    let esgotado_antes = primeira.is_some_and(|r| r.vendas == 0 && r.recusas > 0);
    let todos = ouviram == conectados || vistas.aviso.menos_o_comprador;
    let (estado, viu) = match desordem {
        _ if esgotado_antes => {
            (Estado::NaoAvaliado, "o estoque já tinha acabado antes da disputa".to_owned())
        }
        _ if *ouviram == 0 => (Estado::NaoCumprido, "não chegou a ninguém".to_owned()),
        _ if vistas.aviso.so_o_comprador => {
            (Estado::NaoCumprido, "só chegou a quem comprou a última unidade".to_owned())
        }
        Some(desordem) => (Estado::EmParte, format!("{quantos}; mas {desordem}")),
        None if todos => (Estado::Cumprido, quantos),
        None => (Estado::EmParte, quantos),
    };
    let tentou = "Todos conectados na primeira disputa, à escuta do AVISO.".to_owned();
    Extra { nome: "Broadcast de Esgotamento", estado, tentou, viu }
}

/// O texto de um servidor desconhecido, curto e sem sequências de controle.
fn curto(texto: &str) -> String {
    visivel(&texto.trim().chars().take(100).collect::<String>())
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::parecer::{Leitura, Que, Regra, Violacao};
    use protocolo::Comando;
    use std::time::Duration;

    const DEMORA: Duration = Duration::from_millis(1);

    fn soma(conferencias: &[Conferencia]) -> (f64, f64) {
        let pontos = conferencias.iter().map(|c| c.pontos).sum();
        (pontos, conferencias.iter().map(|c| c.de).sum())
    }

    #[track_caller]
    fn valem(conferencias: &[Conferencia], esperados: &[f64]) {
        let pontos: Vec<f64> = conferencias.iter().map(|c| c.pontos).collect();
        let iguais = pontos.iter().zip(esperados).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(iguais && pontos.len() == esperados.len(), "{conferencias:#?}");
    }

    fn troca(comando: Comando, resposta: &str) -> Troca {
        Troca { comando, resposta: Some(resposta.into()), demora: DEMORA }
    }

    fn violacao(regra: Regra) -> Violacao {
        let leitura =
            Leitura { usuario: 1, inicio: Duration::ZERO, fim: DEMORA, que: Que::Venda, valor: 3 };
        Violacao { regra, quando: DEMORA, provas: vec![leitura, leitura] }
    }

    fn rodada(regras: &[Regra]) -> Rodada {
        let contradicoes = regras.iter().copied().map(violacao).collect();
        Rodada {
            atendidos: 50,
            vendas: 10,
            recusas: 50,
            sem_resposta: 0,
            estranhas: 0,
            contradicoes,
        }
    }

    /// O que se vê de um servidor em que nada está errado.
    fn certas() -> Evidencias {
        let consulta = |n| troca(Comando::Consultar, &format!("Estoque atual: {n}"));
        let compra =
            |n| troca(Comando::Comprar, &format!("Compra realizada. Estoque restante: {n}"));
        let conversa = Conversa {
            inicial: Some(10),
            consultas: vec![consulta(10), consulta(0)],
            compras: (0..10).rev().map(compra).collect(),
            recusas: vec![troca(Comando::Comprar, "ERRO: Produto esgotado")],
            contradicao: None,
            porta: Some(54321),
            console: Some("[14:05:09] 127.0.0.1:54321 comando\n".repeat(13)),
        };
        let respondido = Some(consulta(10));
        Evidencias {
            conversa,
            atras_do_calado: respondido.clone(),
            atras_da_metade: respondido,
            rodadas: vec![rodada(&[]); 4],
            aviso: Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() },
            robustez: provocacoes([true; 3]),
            ..Evidencias::default()
        }
    }

    fn provocacoes(passaram: [bool; 3]) -> Vec<(Provocacao, Result<(), String>)> {
        let provocacoes = [Provocacao::Resets, Provocacao::Metades, Provocacao::Lixo];
        let resultado = |passou: bool| if passou { Ok(()) } else { Err("caiu".into()) };
        provocacoes.into_iter().zip(passaram.map(resultado)).collect()
    }

    #[test]
    fn os_pesos_sao_os_do_enunciado_certo_ou_errado() {
        let certas = certas();
        let erradas = Evidencias { robustez: provocacoes([false; 3]), ..Evidencias::default() };
        for (vistas, fracao) in [(certas, 1.0), (erradas, 0.0)] {
            assert_eq!(soma(&multithreading(&vistas, 50)), (3.0 * fracao, 3.0));
            assert_eq!(soma(&exclusao_mutua(&vistas.rodadas, 50)), (4.0 * fracao, 4.0));
            assert_eq!(soma(&robustez(&vistas.robustez)), (fracao, 1.0));
            let (pontos, de) = soma(&protocolo(&vistas, 10));
            assert!((pontos - 2.0 * fracao).abs() < 1e-9 && (de - 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn quem_bloqueia_atras_do_calado_perde_a_metade_e_atras_da_metade_um_sexto() {
        let certas = certas();
        let sem_calado = Evidencias { atras_do_calado: None, ..certas };
        valem(&multithreading(&sem_calado, 50), &[0.0, 0.5, 1.0]);
        let sem_metade = Evidencias { atras_da_metade: None, ..self::certas() };
        valem(&multithreading(&sem_metade, 50), &[1.5, 0.0, 1.0]);
        assert!(multithreading(&sem_metade, 50)[1].viu.contains("nenhuma resposta em 3,00 s"));
    }

    #[test]
    fn os_atendidos_valem_em_proporcao_e_vale_a_pior_rodada() {
        for (atendidos, pontos) in
            [(50, 1.0), (26, 25.0 / 49.0), (2, 1.0 / 49.0), (1, 0.0), (0, 0.0)]
        {
            let mut vistas = certas();
            vistas.rodadas[2].atendidos = atendidos;
            valem(&multithreading(&vistas, 50), &[1.5, 0.5, pontos]);
        }
    }

    #[test]
    fn uma_venda_a_mais_custa_tudo_e_outra_contradicao_pelo_menos_a_metade() {
        let limpa = || rodada(&[]);
        let sumiu = Regra::UnidadeSumiu { restaria: 3, quantas: 1 };
        let recusa = Regra::RecusaIndevida { restaria: 3, quantas: 1 };
        let casos: [(&[Regra], f64, &str); 7] = [
            (&[], 4.0, "40 vendas em 4 rodadas, nenhuma contradição"),
            (&[Regra::VendaRepetida], 0.0, "em 1 de 4 rodadas (na pior, 10 vendas)"),
            (&[Regra::EstoqueNegativo], 0.0, "vendeu a mais"),
            (&[sumiu, Regra::VendaRepetida], 0.0, "vendeu a mais"),
            (&[Regra::EstoqueSubiu], 1.5, "em 1 de 4 rodadas, sem vender a mais"),
            (&[sumiu], 1.5, "sem vender a mais"),
            (&[recusa], 1.5, "sem vender a mais"),
        ];
        for (regras, pontos, frase) in casos {
            let rodadas = [limpa(), limpa(), rodada(regras), limpa()];
            let conferencias = exclusao_mutua(&rodadas, 50);
            valem(&conferencias, &[pontos]);
            assert!(conferencias[0].viu.contains(frase), "{}", conferencias[0].viu);
        }
        valem(&exclusao_mutua(&[rodada(&[sumiu])], 50), &[0.0]);
    }

    #[test]
    fn o_que_nao_foi_disputado_nao_prova_a_exclusao() {
        let sozinho = Rodada { atendidos: 1, ..rodada(&[]) };
        let mudos = Rodada { vendas: 0, recusas: 0, sem_resposta: 50, ..rodada(&[]) };
        let outra_lingua = Rodada { estranhas: 50, sem_resposta: 0, ..mudos.clone() };
        let esgotado = Rodada { vendas: 0, ..rodada(&[]) };
        for (rodada, frase) in [
            (sozinho, "dois clientes atendidos ao mesmo tempo"),
            (mudos, "nenhuma compra teve resposta"),
            (outra_lingua, "não são as do enunciado"),
            (esgotado, "nada havia a vender"),
        ] {
            let conferencias = exclusao_mutua(&[rodada], 50);
            valem(&conferencias, &[0.0]);
            assert!(conferencias[0].viu.contains(frase), "{}", conferencias[0].viu);
        }
    }

    #[test]
    fn o_silencio_custa_a_parte_dele_e_nao_apaga_o_que_se_viu() {
        let caladas = Rodada { vendas: 10, recusas: 20, sem_resposta: 10, ..rodada(&[]) };
        let conferencias = exclusao_mutua(std::slice::from_ref(&caladas), 50);
        valem(&conferencias, &[3.0]);
        assert!(conferencias[0].viu.contains("10 compras ficaram sem resposta"));
        // Vendeu a mais e morreu: quase ninguém teve resposta, mas a contradição está lá.
        let morreu =
            Rodada { vendas: 12, recusas: 0, sem_resposta: 48, ..rodada(&[Regra::VendaRepetida]) };
        valem(&exclusao_mutua(&[rodada(&[]), morreu], 50), &[0.0]);
    }

    #[test]
    fn o_texto_vale_letra_por_letra_ou_metade_ou_nada() {
        let casos = [
            (Some("Estoque atual: 10"), 0.6, "'Estoque atual: 10', letra por letra"),
            (Some("estoque atual: 10"), 0.3, "o sentido é o de 'Estoque atual: 10'"),
            (Some("Tenho 10"), 0.0, "esperava 'Estoque atual: 10', e veio 'Tenho 10'"),
            (Some("Compra realizada. Estoque restante: 9"), 0.0, "esperava"),
            (None, 0.0, "a conexão fechou antes da resposta"),
        ];
        for (resposta, pontos, frase) in casos {
            let mut vistas = certas();
            vistas.conversa.consultas[1].resposta = resposta.map(String::from);
            let conferencias = protocolo(&vistas, 10);
            valem(&conferencias, &[0.2, pontos, 0.6, 0.6]);
            assert!(conferencias[1].viu.contains(frase), "{}", conferencias[1].viu);
        }
        let mut vistas = certas();
        vistas.conversa.recusas[0].resposta = None;
        vistas.conversa.recusas[0].demora = PRAZO;
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.6, 0.0]);
        assert_eq!(conferencias[3].viu, "ficou sem resposta em 3,00 s");
    }

    #[test]
    fn o_estoque_inicial_e_os_numeros_que_nao_batem_tem_o_seu_preco() {
        let mut vistas = certas();
        valem(&protocolo(&vistas, 5), &[0.0, 0.6, 0.6, 0.6]);
        vistas.conversa.contradicao = Some(violacao(Regra::VendaRepetida));
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.0, 0.6]);
        assert!(conferencias[2].viu.contains("os números não batem: a mesma unidade"));
        vistas.conversa = Conversa::default();
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.0; 4]);
        assert_eq!(
            (&*conferencias[0].viu, &*conferencias[3].viu),
            ("não se entendeu", "não se chegou a ver")
        );
    }

    #[test]
    fn o_texto_de_um_desconhecido_vem_curto_e_sem_controle() {
        let mut vistas = certas();
        vistas.conversa.consultas[0].resposta = Some(format!("\u{1b}[2J{}", "x".repeat(500)));
        let viu = &protocolo(&vistas, 10)[1].viu;
        assert!(viu.contains(r"\u{1b}[2Jxxx") && viu.len() < 200, "{viu}");
    }

    #[test]
    fn cair_de_um_jeito_custa_a_robustez_inteira() {
        for passaram in [[false, true, true], [true, false, true], [true, true, false]] {
            let conferencias = robustez(&provocacoes(passaram));
            valem(&conferencias, &[0.0; 3]);
            for (conferencia, passou) in conferencias.iter().zip(passaram) {
                assert_eq!(conferencia.viu == "caiu", !passou);
                assert_eq!(conferencia.viu.contains("não sobrevive a outra prova"), passou);
            }
        }
        valem(&robustez(&provocacoes([true; 3])), &[0.5, 0.25, 0.25]);
    }

    #[test]
    fn o_log_pede_hora_ip_e_porta_em_uma_linha_por_comando() {
        use Estado::{Cumprido, EmParte, NaoCumprido};
        let casos = [
            ("[2026-02-24 14:05:09.123] 127.0.0.1:54321 COMPRAR", Cumprido),
            ("14:05:09 ('127.0.0.1', 54321) COMPRAR", Cumprido),
            ("Tue Feb 24 9:05:09 2026 ::1 54321", Cumprido),
            ("1771941909.12 localhost:54321", Cumprido),
            ("1771941909123 127.0.0.1:54321", Cumprido),
            ("127.0.0.1:54321 COMPRAR", EmParte),
            ("[140383323850432] 127.0.0.1:54321", EmParte),
            ("tel. 9999999999 127.0.0.1:54321", EmParte),
            ("2026-02-24 127.0.0.1:54321", EmParte),
            ("14:05 127.0.0.1:54321", EmParte),
            ("14:05:09 54321 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1:154321 COMPRAR", NaoCumprido),
            ("14:05:09.543217 127.0.0.1:40000", NaoCumprido),
            ("", NaoCumprido),
        ];
        for (linha, esperado) in casos {
            let mut vistas = certas();
            vistas.conversa.console =
                Some(format!("Conectado\n{}", format!("{linha}\n").repeat(13)));
            assert_eq!(log(&vistas).estado, esperado, "{linha}");
            // Doze linhas não são uma para cada um dos treze comandos.
            vistas.conversa.console = Some(format!("{linha}\n").repeat(12));
            assert_eq!(log(&vistas).estado, NaoCumprido, "{linha}");
        }
        let mut vistas = certas();
        vistas.conversa.console = None;
        assert_eq!(log(&vistas).estado, Estado::NaoAvaliado);
        vistas.conversa =
            Conversa { porta: Some(1), console: Some("1".into()), ..Conversa::default() };
        assert_eq!(log(&vistas).estado, NaoCumprido, "nenhum comando não é um log");
    }

    #[test]
    fn o_broadcast_vai_a_todos_ou_a_todos_menos_o_comprador_e_em_ordem() {
        use Estado::{Cumprido, EmParte, NaoAvaliado, NaoCumprido};
        let todos = || Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() };
        let palavras = Some("AVISO: acabou\u{7}".to_owned());
        let casos = [
            (todos(), Cumprido, "chegou a 50 de 50"),
            (Ouvintes { outras_palavras: palavras, ..todos() }, Cumprido, r"'AVISO: acabou\u{7}'"),
            (Ouvintes { ouviram: 49, menos_o_comprador: true, ..todos() }, Cumprido, "49 de 50"),
            (Ouvintes { ouviram: 49, ..todos() }, EmParte, "49 de 50"),
            (Ouvintes { desordem: Some("repetiu".into()), ..todos() }, EmParte, "; mas repetiu"),
            (Ouvintes { ouviram: 1, so_o_comprador: true, ..todos() }, NaoCumprido, "só chegou"),
            (Ouvintes { ouviram: 0, ..todos() }, NaoCumprido, "não chegou a ninguém"),
            (Ouvintes::default(), NaoCumprido, "não chegou a ninguém"),
        ];
        for (aviso, estado, frase) in casos {
            let extra = broadcast(&Evidencias { aviso, ..certas() });
            assert_eq!(extra.estado, estado, "{}", extra.viu);
            assert!(extra.viu.contains(frase), "{}", extra.viu);
        }
        let mut vistas = certas();
        vistas.rodadas[0].vendas = 0;
        assert_eq!(broadcast(&vistas).estado, NaoAvaliado);
    }
}
